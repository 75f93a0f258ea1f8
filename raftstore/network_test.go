package raftstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// certificates returns what replicas on loopback prove by who they are.
func certificates(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:      pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
}

func TestReplicasProveWhoTheyAre(t *testing.T) {
	c := newCluster(t, 3, quick)
	c.close()
	cfg := certificates(t)
	for _, n := range c.nodes {
		n.opts.TLS = cfg
		c.start(n, nil)
	}
	for _, n := range c.nodes {
		if _, err := setCommand.Do(bg, n.store(), setArg{"k", n.opts.ID}); err != nil {
			t.Fatal(err)
		}
	}
	c.equal()
	stranger := &tls.Config{RootCAs: cfg.RootCAs, ServerName: "127.0.0.1"}
	conn, err := tls.Dial("tcp", c.nodes[0].opts.Addr, stranger)
	if err == nil { // with TLS 1.3 the refusal comes with the first read
		defer conn.Close()
		_ = writeMessage(conn, []byte{askLinearizable})
		if _, err = readMessage(conn); err == nil {
			t.Error("who has no certificate is answered")
		}
	}
	o := c.nodes[0].opts
	o.TLS = stranger
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("one side that proves nothing: %v", err)
	}
}

func TestHostileBytesOnTheNetworkEndTheConnection(t *testing.T) {
	c := newCluster(t, 1, quick)
	addr := c.leader().opts.Addr
	for _, b := range []string{
		"X", "GET / HTTP/1.1\r\n\r\n", "Q\xff\xff\xff\xff", "Q\x00\x00\x00\x00", "Q\x00\x00\x00\x01C", "Q\x00\x00\x00\x01?",
		"Q\x00\x00\x00\x28C" + strings.Repeat("\xff", 0x27), "R" + strings.Repeat("\xff", 100), "R\x02\xc1\xc1\xc1",
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, b); err != nil {
			t.Log(err)
		}
		conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, _ := io.ReadAll(io.LimitReader(conn, 1<<20))
		if b[0] == 'Q' && len(b) > 5 && (len(answer) < 5 || answer[4] != badQuestion) {
			t.Errorf("%q is answered by %q", b, answer)
		}
		conn.Close()
	}
	if _, err := setCommand.Do(bg, c.nodes[0].store(), setArg{"k", "v"}); err != nil {
		t.Error(err)
	}
}

// TestAReplicaThatCannotApplyStops: it would differ from the others.
func TestAReplicaThatCannotApplyStops(t *testing.T) {
	c := newCluster(t, 3, quick)
	victim := c.follower()
	c.stop(victim)
	victim.opts.Commands = new(Commands) // an older program
	c.start(victim, nil)
	if _, err := setCommand.Do(bg, c.leader().store(), setArg{"k", "v"}); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if victim.store().Err() != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := victim.store().Err(); !errors.Is(err, ErrStopped) || !errors.Is(err, errUnknownCommand) {
		t.Errorf("%v", err)
	}
	if _, err := victim.store().Do(bg, "set", nil); err == nil {
		t.Error("it goes on")
	}
	c.stop(victim)
	victim.opts.Commands = &testCommands
	c.start(victim, nil)
	c.equal()
}

func TestAReplicaWithoutSpaceGoesOnWhenThereIsSome(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, quick)
	victim := c.leader() // it leads again until it has no space, perhaps
	c.stop(victim)
	victim.opts.Store = &siltstone.Options{MemoryLimit: 8 << 20, MaxDiskBytes: 1 << 20}
	c.start(victim, nil)
	if err := c.leader().store().TransferLeadership(); err != nil {
		t.Log(err)
	}
	for i := range 60 {
		if _, err := setCommand.Do(bg, victim.store(), setArg{fmt.Sprint(i), strings.Repeat("x", 64<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	lead := c.leader().store()
	at, _ := victim.store().machine.place()
	if leads, _ := lead.machine.place(); at.index >= leads.index {
		t.Fatalf("it has applied %d of %d", at.index, leads.index)
	}
	if err := victim.store().Err(); err != nil {
		t.Fatal(err)
	}
	c.stop(victim)
	victim.opts.Store = &siltstone.Options{MemoryLimit: 8 << 20}
	c.start(victim, nil)
	c.equal()
}
