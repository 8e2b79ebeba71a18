// A toxiproxy server with two toxics of our own: "garble" flips bits of bytes that pass, "flood" sends without end once
// the upstream has said something.
package main

import (
	"flag"
	"net"
	"os"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Garble flips the bits of Mask in each byte whose place in the stream is Skip or later and a multiple of Every after it.
type Garble struct {
	Skip  int `json:"skip"`
	Every int `json:"every"`
	Mask  int `json:"mask"`
}

// The state of a connection: the bytes that have passed.
func (garble *Garble) NewState() interface{} { return new(int) }

func (garble *Garble) Pipe(stub *toxics.ToxicStub) {
	passed := stub.State.(*int)
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			for i := range chunk.Data {
				if place := *passed - garble.Skip; place >= 0 && garble.Every > 0 && place%garble.Every == 0 {
					chunk.Data[i] ^= byte(garble.Mask)
				}
				*passed++
			}
			select {
			case <-stub.Interrupt:
				return
			case stub.Output <- chunk:
			}
		}
	}
}

// Flood lets Skip bytes pass and then sends Byte for as long as anyone reads, whatever the upstream says.
type Flood struct {
	Skip int `json:"skip"`
	Byte int `json:"byte"`
}

func (flood *Flood) Pipe(stub *toxics.ToxicStub) {
	passed := 0
	for passed < flood.Skip {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			if left := flood.Skip - passed; len(chunk.Data) > left {
				chunk.Data = chunk.Data[:left]
			}
			passed += len(chunk.Data)
			select {
			case <-stub.Interrupt:
				return
			case stub.Output <- chunk:
			}
		}
	}
	for {
		data := make([]byte, 16384)
		for i := range data {
			data[i] = byte(flood.Byte)
		}
		select {
		case <-stub.Interrupt:
			return
		case <-stub.Input:
		case stub.Output <- &stream.StreamChunk{Data: data}:
		}
	}
}

func main() {
	address := flag.String("address", "127.0.0.1:8474", "where the API listens")
	flag.Parse()
	toxics.Register("garble", new(Garble))
	toxics.Register("flood", new(Flood))
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), log)
	host, _, err := net.SplitHostPort(*address)
	if err == nil && host != "127.0.0.1" {
		log.Fatal().Msg("not a loopback address")
	}
	if err := server.Listen(*address); err != nil {
		log.Fatal().Err(err).Msg("listen")
	}
}
