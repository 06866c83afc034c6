package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"golang.org/x/net/websocket"
)

// devtools makes the browser at an address open its page about its sandbox, and prints the
// page.
func devtools(address string) error {
	request, err := http.NewRequest(http.MethodPut,
		"http://"+address+"/json/new?chrome://sandbox", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var page struct{ WebSocketDebuggerURL string }
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
		return err
	}
	socket, err := websocket.Dial(page.WebSocketDebuggerURL, "", "http://"+address)
	if err != nil {
		return err
	}
	defer socket.Close()
	const read = `{"id": 1, "method": "Runtime.evaluate", "params": {"expression":
		"new Promise(done => onload = done).then(() => document.body.innerText)", "awaitPromise": true}}`
	if err := websocket.Message.Send(socket, read); err != nil {
		return err
	}
	var answer struct {
		Result struct{ Result struct{ Value string } }
	}
	if err := websocket.JSON.Receive(socket, &answer); err != nil {
		return err
	}
	fmt.Println(answer.Result.Result.Value)
	return nil
}
