package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var request struct {
			Secret  string
			Headers map[string]string
			Body    []byte
		}
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			panic(err)
		}
		header := http.Header{}
		for name, value := range request.Headers {
			header.Set(name, value)
		}
		if Verify(request.Secret, header, request.Body, 5*time.Minute) == nil {
			fmt.Println("genuine")
		} else {
			fmt.Println("refused")
		}
	}
}
