// /v1/dev/inbox/ui: only the development receiver. ?token= is the receiver's; the user types the key.
import { Api, storedKey, storeKey } from "./api.js";
import { inbox } from "./inbox.js";
import { signIn } from "./sign_in.js";
import { themes } from "./theme.js";

const main = document.getElementById("main");
const signOut = document.getElementById("sign-out");
let running = new AbortController();

function leave(reason) {
	running.abort();
	storeKey(null);
	signOut.hidden = true;
	main.replaceChildren(...signIn(enter, reason).filter(Boolean));
	main.querySelector("input").focus();
}

function enter(key) {
	running = new AbortController();
	signOut.hidden = false;
	const api = new Api(key, { onRefused: (error) => leave(error.message) });
	main.replaceChildren(...inbox({ api, query: new URLSearchParams(location.search), signal: running.signal }));
	main.querySelector("h1").focus();
}

signOut.addEventListener("click", () => leave());
document.getElementById("skip").addEventListener("click", (event) => {
	event.preventDefault();
	main.focus();
});
themes(document.getElementById("theme"));
if (storedKey()) enter(storedKey());
else leave();
