/// Keys and certificates that never change and never end, since a handshake that is to repeat needs the same. Nobody trusts them.
enum Identities {
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBYTCCAQegAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxGdXp6aW5n
        IFJvb3QwIBcNMjAwMTAxMDAwMDAwWhgPOTk5OTEyMzEyMzU5NTlaMBcxFTATBgNV
        BAMMDEZ1enppbmcgUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKIVJ6P4
        04p2j8fV8LPL4cPTJOD/n2DmdFIQD45cnywerxoz1xtH9lLdeH/IEo+Igzctp1V0
        dyWYSpdWiXYnNBujQjBAMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFBnANORd
        izQuvJKtDSV7wtWz3limMA4GA1UdDwEB/wQEAwIBBjAKBggqhkjOPQQDAgNIADBF
        AiAIH4yXS2/eNbzedkmJ8fzfRDTcwe5KoqmhKCybWbBwFAIhAO/LtXI9Wv61KJ/9
        2vY/MAb46b9d/BSpAvISDyoZ31Oz
        -----END CERTIFICATE-----
        """

    static let serverCertificate = """
        -----BEGIN CERTIFICATE-----
        MIIBlDCCATugAwIBAgIBAjAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxGdXp6aW5n
        IFJvb3QwIBcNMjAwMTAxMDAwMDAwWhgPOTk5OTEyMzEyMzU5NTlaMBExDzANBgNV
        BAMMBnNlcnZlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOfWESkSf5gYx6ci
        afgm8Ll0DFagiZDpkkXW8vIa9AVvGhVIdafWCkO36TNKHHOxnIM/dRzkbGEhfMm2
        wm6DDo2jfDB6MAwGA1UdEwEB/wQCMAAwHQYDVR0OBBYEFMEZQKR5bXgxxKWBHaqB
        V3i5nRZ+MB8GA1UdIwQYMBaAFBnANORdizQuvJKtDSV7wtWz3limMA4GA1UdDwEB
        /wQEAwIHgDAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0EAwID
        RwAwRAIgSVQs5iFhn1jC+knbga05FaIO0ObMXcYBVx47uUTD188CIGbW5CLqbWyC
        nWFjiA1C9vrxcPQtBDp93laEV8nAzZRH
        -----END CERTIFICATE-----
        """

    static let serverKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2iwR2QeWfy7IBlbj
        UPrY19en+MZM0sJxnGCZzDhajxShRANCAATn1hEpEn+YGMenImn4JvC5dAxWoImQ
        6ZJF1vLyGvQFbxoVSHWn1gpDt+kzShxzsZyDP3Uc5GxhIXzJtsJugw6N
        -----END PRIVATE KEY-----
        """

    static let clientCertificate = """
        -----BEGIN CERTIFICATE-----
        MIIBeTCCAR+gAwIBAgIBAzAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxGdXp6aW5n
        IFJvb3QwIBcNMjAwMTAxMDAwMDAwWhgPOTk5OTEyMzEyMzU5NTlaMBExDzANBgNV
        BAMMBmNsaWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCZF/ysy6kKCxRY9
        B0GgIkGiDWYI5qD3gszoknEOKN7YZvr0hi45QwNL4heVGVxKi2/CTmW3OBsQe0dd
        6Xt7f1ajYDBeMAwGA1UdEwEB/wQCMAAwHQYDVR0OBBYEFMRxGtU/y6JNGleTb+Lh
        mSzZcLO3MB8GA1UdIwQYMBaAFBnANORdizQuvJKtDSV7wtWz3limMA4GA1UdDwEB
        /wQEAwIHgDAKBggqhkjOPQQDAgNIADBFAiA5cir31Jg12yctkqKpZ3+ma9ILH7/h
        2WHskRkotV14xAIhALxl+1P5c0nz+Vy+UA7ucnu9KWEfvS7nhEOIlrgA2wbK
        -----END CERTIFICATE-----
        """

    static let clientKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJXMo0WLlRubEwoci
        qRcPp/0HQvIwAE4Ccnf6NLepJ3ChRANCAAQmRf8rMupCgsUWPQdBoCJBog1mCOag
        94LM6JJxDije2Gb69IYuOUMDS+IXlRlcSotvwk5ltzgbEHtHXel7e39W
        -----END PRIVATE KEY-----
        """
}
