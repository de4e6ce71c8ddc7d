// The official Standard Webhooks library for Go, and Go's own Ed25519: as verify.mjs.
package main

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

type request struct {
	Secret    string            `json:"secret"`
	PublicKey string            `json:"public_key"`
	Headers   map[string]string `json:"headers"`
	Body      []byte            `json:"body"`
}

func verifiesV1(secret string, headers http.Header, body []byte) bool {
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		panic(err)
	}
	return webhook.Verify(body, headers) == nil
}

func verifiesV1a(publicKey string, headers http.Header, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(publicKey, "whpk_"))
	if err != nil {
		panic(err)
	}
	signed := append([]byte(headers.Get("webhook-id")+"."+headers.Get("webhook-timestamp")+"."), body...)
	for _, one := range strings.Split(headers.Get("webhook-signature"), " ") {
		version, text, _ := strings.Cut(one, ",")
		signature, err := base64.StdEncoding.DecodeString(text)
		if version == "v1a" && err == nil && ed25519.Verify(ed25519.PublicKey(key), signed, signature) {
			return true
		}
	}
	return false
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var one request
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			panic(err)
		}
		headers := http.Header{}
		for name, value := range one.Headers {
			headers.Set(name, value)
		}
		if one.Secret != "" {
			fmt.Println(verifiesV1(one.Secret, headers, one.Body))
		} else {
			fmt.Println(verifiesV1a(one.PublicKey, headers, one.Body))
		}
	}
	if lines.Err() != nil {
		panic(lines.Err())
	}
}
