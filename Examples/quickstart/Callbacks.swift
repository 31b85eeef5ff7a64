import HarmonySocket

/// A server and a client with completion handlers: each says what to do next.
func runCallbacks() async throws {
    chapter("TCP with completion handlers")
    let done = Moment("the answer")
    let server = TCPSocketServer()
    server.on(.connect) { client in
        client.receive { result in
            guard case .success(let message?) = result else { return client.close { _ in } }
            note("server", "received", "\"\(message.text ?? "")\"")
            client.send(message.message) { result in
                if case .success = result { note("server", "sent", "the same") }
                client.close { _ in }
            }
        }
    }

    let tcp = TCPSocket()
    @Sendable func fail(_ error: SocketError) { expect(false, "no error, but \(error)") }
    server.listen(NetAddress("127.0.0.1", port: 0)) { result in
        if case .failure(let error) = result { return fail(error) }
        guard let address = server.localAddress else { return }
        note("server", "listening", "on \(address)")
        tcp.connect(to: address) { result in
            if case .failure(let error) = result { return fail(error) }
            note("client", "connected", "\(tcp.state)")
            tcp.send("how are you?") { result in
                if case .failure(let error) = result { return fail(error) }
                tcp.receive(timeout: .seconds(2)) { result in
                    if case .failure(let error) = result { return fail(error) }
                    let text = (try? result.get())?.text ?? ""
                    note("client", "received", "\"\(text)\"")
                    expect(text == "how are you?", "the echo")
                    tcp.close { _ in
                        note("client", "closed", "\(tcp.state)")
                        done.reached()
                    }
                }
            }
        }
    }
    await done.wait()
    await server.close()
}
