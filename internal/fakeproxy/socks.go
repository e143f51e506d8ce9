package fakeproxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
)

// socks is the server's side of RFC 1928 and RFC 1929.
func (p *Proxy) socks(c net.Conn, in *bufio.Reader) (net.Conn, error) {
	methods, err := counted(in, 1)
	if err != nil {
		return nil, err
	}
	method := byte(0)
	if p.cfg.User != "" {
		method = 2
	}
	if !bytes.Contains(methods, []byte{method}) {
		_, _ = c.Write([]byte{5, 0xFF})
		return nil, errors.New("no method")
	}
	if _, err := c.Write([]byte{5, method}); err != nil {
		return nil, err
	}
	if method == 2 {
		if err := p.password(c, in); err != nil {
			return nil, err
		}
	}
	target, err := request(in)
	if err != nil {
		return nil, err
	}
	conn, err := p.dial(Request{Target: target, Client: c.RemoteAddr()})
	if err != nil {
		_, _ = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}) // connection refused
		return nil, err
	}
	_, err = c.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 80})
	return conn, err
}

func (p *Proxy) password(c net.Conn, in *bufio.Reader) error {
	user, err := counted(in, 1)
	if err != nil {
		return err
	}
	password, err := counted(in, 0)
	if err != nil {
		return err
	}
	if string(user) != p.cfg.User || string(password) != p.cfg.Password {
		_, _ = c.Write([]byte{1, 1})
		return errors.New("wrong password")
	}
	_, err = c.Write([]byte{1, 0})
	return err
}

// counted reads skip bytes, a length, and so many bytes.
func counted(in *bufio.Reader, skip int) ([]byte, error) {
	head := make([]byte, skip+1)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, err
	}
	b := make([]byte, head[skip])
	_, err := io.ReadFull(in, b)
	return b, err
}

// request reads what is to be connected to.
func request(in *bufio.Reader) (target string, err error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return "", err
	}
	var host string
	switch head[3] {
	case 1, 4:
		ip := make(net.IP, 4*int(head[3]))
		_, err = io.ReadFull(in, ip)
		host = ip.String()
	case 3:
		var name []byte
		name, err = counted(in, 0)
		host = string(name)
	default:
		err = errors.New("type of address")
	}
	var port [2]byte
	if err == nil {
		_, err = io.ReadFull(in, port[:])
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port[0])<<8|int(port[1]))), err
}
