package resp_test

import (
	"log"
	"net"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/resp"
)

// A service lets redis-cli look into its store.
func ExampleNewServer() {
	db, err := siltstone.Open("data", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	s, err := resp.NewServer(db, nil)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:6379")
	if err != nil {
		log.Fatal(err)
	}
	go s.Serve(l)
	defer s.Close()
}
