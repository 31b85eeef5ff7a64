// Servers and a client with Go's own network library.
//
//	go-peer tcp echo|discard|chargen
//	go-peer udp
//	go-peer client HOST PORT MESSAGES
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

func main() {
	words := os.Args[1:]
	switch {
	case len(words) == 2 && words[0] == "tcp":
		serve(words[1])
	case len(words) == 1 && words[0] == "udp":
		serveDatagrams()
	case len(words) == 4 && words[0] == "client":
		messages, err := strconv.Atoi(words[3])
		check(err)
		play(net.JoinHostPort(words[1], words[2]), messages)
	default:
		fmt.Fprintln(os.Stderr, "go-peer: see the head of its source")
		os.Exit(2)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-peer:", err)
		os.Exit(1)
	}
}

func serve(mode string) {
	handle, known := map[string]func(net.Conn){"echo": echo, "discard": discard, "chargen": generate}[mode]
	if !known {
		check(fmt.Errorf("no mode %s", mode))
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	check(err)
	fmt.Printf("listening on %s\n", listener.Addr())
	for {
		connection, err := listener.Accept() // no-delay is on by default
		check(err)
		go func() {
			defer connection.Close()
			handle(connection)
		}()
	}
}

func echo(connection net.Conn) {
	buffer := make([]byte, 64*1024)
	for {
		count, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:count]); err != nil {
			return
		}
	}
}

func discard(connection net.Conn) {
	buffer := make([]byte, 64*1024)
	for {
		if _, err := connection.Read(buffer); err != nil {
			return
		}
	}
}

// RFC 864, as much of it as goes into one write of the others too.
func generate(connection net.Conn) {
	var characters []byte
	for line := 0; line < 9*95; line++ {
		for column := 0; column < 72; column++ {
			characters = append(characters, byte(32+(line+column)%95))
		}
		characters = append(characters, '\r', '\n')
	}
	go discard(connection)
	for {
		if _, err := connection.Write(characters); err != nil {
			return
		}
	}
}

func serveDatagrams() {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(err)
	fmt.Printf("listening on %s\n", socket.LocalAddr())
	buffer := make([]byte, 2048)
	for {
		count, peer, err := socket.ReadFromUDPAddrPort(buffer)
		check(err)
		socket.WriteToUDPAddrPort(buffer[:count], peer)
	}
}

func play(server string, messages int) {
	connection, err := net.Dial("tcp", server)
	check(err)
	message, reply := make([]byte, 64), make([]byte, 64)
	exchange := func(count int) {
		for ; count > 0; count-- {
			_, err := connection.Write(message)
			check(err)
			_, err = io.ReadFull(connection, reply)
			check(err)
		}
	}
	exchange(messages / 10)
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	if _, err := input.ReadString('\n'); err != nil {
		return
	}
	start := time.Now()
	exchange(messages)
	fmt.Printf("done %f\n", time.Since(start).Seconds())
	input.ReadString('\n')
}
