import HarmonySocket
import HarmonyTLS

/// What is worth knowing of a connection, a line each.
func describe(_ tls: TLSSocket) async throws -> String {
    var lines: [String] = []
    for (depth, certificate) in tls.remoteCertificates.enumerated() {
        lines.append("certificate \(depth): \(printable(certificate.subject))")
        lines.append("  issued by \(printable(certificate.issuer))")
        if !certificate.names.isEmpty { lines.append("  for \(certificate.names.joined(separator: ", "))") }
        lines.append("  from \(date(certificate.notBefore)) to \(date(certificate.notAfter))")
        if let pin = certificate.pin { lines.append("  \(pin)") }
    }
    let suite = try await tls.getCipherSuite().joined(separator: ", ")
    lines.append("\(try await tls.getProtocol()), \(suite)\(tls.isResumed ? ", resumed" : "")")
    lines.append("application protocol: \(printable(tls.alpnProtocol ?? "none"))")
    return lines.map { $0 + "\n" }.joined()
}

/// Text of the peer that does a terminal no harm.
private func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.properties.generalCategory != .control }))
}

/// A day, of seconds since 1970: the civil calendar counted in eras of 400 years.
private func date(_ seconds: Int) -> String {
    let days = (seconds - (seconds < 0 ? 86_399 : 0)) / 86_400 + 719_468
    let era = (days - (days < 0 ? 146_096 : 0)) / 146_097
    let dayOfEra = days - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(year)-\(twoDigits(month))-\(twoDigits(day))"
}
