/// A certificate as bytes, as OpenHarmony's X509CertRawData.
public struct X509CertRawData: Sendable, Hashable, Codable {
    /// In which form the bytes are.
    public enum EncodingFormat: Int, Sendable, Hashable, Codable, CaseIterable {
        /// OpenHarmony's FORMAT_DER.
        case der = 0
        /// OpenHarmony's FORMAT_PEM.
        case pem = 1
    }

    /// The certificate.
    public var data: [UInt8]
    /// In which form.
    public var encodingFormat: EncodingFormat

    /// Makes one.
    public init(data: [UInt8], encodingFormat: EncodingFormat = .der) {
        self.data = data
        self.encodingFormat = encodingFormat
    }
}
