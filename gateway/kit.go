package gateway

import (
	"sync"

	"github.com/indrik/indrik/http1"
)

// kit is the working memory of an exchange: what it needs to read a request, to write
// its message and to write the head of its response, and what the next exchange can use
// again. It belongs to the exchange's goroutine; what leaves that is copied. The loop
// reads the message until it has sent its first answer.
type kit struct {
	head  http1.Head
	names []string // of a request's fields
	text  []byte   // a request of HTTP/2 as one of HTTP/1.1
	rest  []byte   // a request's message after the id
	out   []byte   // a response's head, perhaps with its body
	date  dateCache
}

// kits are those that nobody uses. The zero value has none.
type kits struct{ pool sync.Pool }

func (k *kits) get() *kit {
	if used, ok := k.pool.Get().(*kit); ok {
		return used
	}
	return new(kit)
}

// tools is the exchange's kit, borrowed when it is first asked for.
func (x *exchange) tools() *kit {
	if x.kit == nil {
		x.kit = x.gateway.kits.get()
	}
	return x.kit
}

// putAway gives the kit back; nothing of the request may be used any more.
func (x *exchange) putAway() {
	if x.kit != nil {
		x.gateway.kits.put(x.kit)
		x.kit = nil
	}
}

// put takes a kit back. Memory for something large is not kept.
func (k *kits) put(used *kit) {
	clear(used.names)
	for _, memory := range []*[]byte{&used.text, &used.rest, &used.out} {
		if cap(*memory) > keepMessage {
			*memory = nil
		}
	}
	k.pool.Put(used)
}
