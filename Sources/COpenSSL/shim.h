#ifndef COPENSSL_SHIM_H
#define COPENSSL_SHIM_H

// The system's OpenSSL 3, and the macros of it that Swift cannot import.

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#error "HarmonyTLS needs OpenSSL 3"
#endif

// MARK: Contexts

static inline int copenssl_set_versions(SSL_CTX *context, int lowest, int highest) {
    return SSL_CTX_set_min_proto_version(context, lowest) && SSL_CTX_set_max_proto_version(context, highest);
}

static inline void copenssl_set_mode(SSL_CTX *context, long mode) { SSL_CTX_set_mode(context, mode); }

static inline void copenssl_set_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }

static inline void copenssl_set_session_cache_mode(SSL_CTX *context, long mode) {
    SSL_CTX_set_session_cache_mode(context, mode);
}

static inline int copenssl_set_signature_algorithms(SSL_CTX *context, const char *list) {
    return (int)SSL_CTX_set1_sigalgs_list(context, list);
}

static const long copenssl_mode = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                  | SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS;
static const uint64_t copenssl_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
static const uint64_t copenssl_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const long copenssl_cache_client = SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL;
static const long copenssl_cache_off = SSL_SESS_CACHE_OFF;
static const uint64_t copenssl_init_without_atexit = OPENSSL_INIT_NO_ATEXIT;

// MARK: Connections

static inline int copenssl_set_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

static inline void copenssl_set_owner(SSL *ssl, void *owner) { SSL_set_app_data(ssl, owner); }

static inline void *copenssl_get_owner(const SSL *ssl) { return SSL_get_app_data(ssl); }

static inline int copenssl_get_peer_signature(SSL *ssl, int *digest, int *algorithm) {
    return (int)SSL_get_peer_signature_nid(ssl, digest) && SSL_get_peer_signature_type_nid(ssl, algorithm);
}

static inline SSL *copenssl_connection_of(X509_STORE_CTX *store) {
    return (SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
}

// MARK: Our own kind of BIO

static inline BIO_METHOD *copenssl_make_bio_method(const char *name) {
    return BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, name);
}

static inline void copenssl_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void copenssl_set_retry_write(BIO *bio) { BIO_set_retry_write(bio); }
static inline void copenssl_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

// MARK: Stacks of certificates

static inline int copenssl_count_of_store(const X509_STORE *store) {
    return sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
}

static inline int copenssl_count(const STACK_OF(X509) *stack) { return stack ? sk_X509_num(stack) : 0; }
static inline X509 *copenssl_get(const STACK_OF(X509) *stack, int index) { return sk_X509_value(stack, index); }
static inline STACK_OF(X509) *copenssl_make_stack(void) { return sk_X509_new_null(); }
static inline void copenssl_push(STACK_OF(X509) *stack, X509 *certificate) {
    // The stack has a reference of its own.
    if (X509_up_ref(certificate) && !sk_X509_push(stack, certificate)) X509_free(certificate);
}
static inline void copenssl_free_stack(STACK_OF(X509) *stack) { sk_X509_pop_free(stack, X509_free); }

// As RFC 2253 writes names, with letters of all scripts as they are; control characters are escaped.
static const unsigned long copenssl_name_flags = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;

// The names that a certificate is for: DNS names and IP addresses, called for each.
static inline void copenssl_for_each_name(
    const X509 *certificate, void *owner, void (*body)(void *owner, int isAddress, const unsigned char *bytes, int count)
) {
    GENERAL_NAMES *names = (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int index = 0; index < sk_GENERAL_NAME_num(names); index++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
        if (name->type == GEN_DNS) {
            body(owner, 0, ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            body(owner, 1, ASN1_STRING_get0_data(name->d.iPAddress), ASN1_STRING_length(name->d.iPAddress));
        }
    }
    GENERAL_NAMES_free(names);
}

// MARK: Making certificates

static inline EVP_PKEY *copenssl_make_ec_key(void) { return EVP_EC_gen("P-256"); }
static inline EVP_PKEY *copenssl_make_rsa_key(void) { return EVP_RSA_gen(2048); }

// Adds an extension, as the configuration of OpenSSL writes it. Returns 1, or 0.
static inline int copenssl_add_extension(X509 *certificate, X509 *issuer, int number, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, number, value);
    if (!extension) return 0;
    int isAdded = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return isAdded;
}

#endif
