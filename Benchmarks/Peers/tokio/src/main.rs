// Servers and a client with tokio, everything on one thread.
//
//   tokio-peer tcp echo|discard|chargen
//   tokio-peer udp
//   tokio-peer client HOST PORT MESSAGES

use std::io::{stdin, Result};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    match words[..] {
        ["tcp", mode] => runtime.block_on(serve(mode.to_owned())),
        ["udp"] => runtime.block_on(serve_datagrams()),
        ["client", host, port, messages] => {
            let messages = messages.parse().expect("a number of messages");
            runtime.block_on(play(format!("{host}:{port}"), messages))
        }
        _ => {
            eprintln!("tokio-peer: see the head of its source");
            std::process::exit(2)
        }
    }
}

async fn serve(mode: String) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection that breaks ends its task, and no other.
        match mode.as_str() {
            "echo" => tokio::spawn(echo(stream)),
            "discard" => tokio::spawn(discard(stream)),
            _ => tokio::spawn(generate(stream)),
        };
    }
}

async fn echo(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

async fn discard(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

// RFC 864, as much of it as goes into one write of the others too.
async fn generate(mut stream: TcpStream) -> Result<()> {
    let mut characters: Vec<u8> = Vec::new();
    for line in 0..9 * 95 {
        characters.extend((0..72).map(|column| (32 + (line + column) % 95) as u8));
        characters.extend(b"\r\n");
    }
    loop {
        stream.write_all(&characters).await?;
    }
}

async fn serve_datagrams() -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    println!("listening on {}", socket.local_addr()?);
    let mut buffer = [0; 2048];
    loop {
        let (count, peer) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..count], peer).await?;
    }
}

async fn play(server: String, messages: usize) -> Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    exchange(&mut stream, messages / 10).await?;
    println!("ready");
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    let start = Instant::now();
    exchange(&mut stream, messages).await?;
    println!("done {:.6}", start.elapsed().as_secs_f64());
    stdin().read_line(&mut line)?;
    Ok(())
}

async fn exchange(stream: &mut TcpStream, count: usize) -> Result<()> {
    let (message, mut reply) = ([42; 64], [0; 64]);
    for _ in 0..count {
        stream.write_all(&message).await?;
        stream.read_exact(&mut reply).await?;
    }
    Ok(())
}
