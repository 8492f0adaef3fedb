// Leads to the login as soon as this device was logged out, by another one for instance. A hidden page does not listen: a
// browser has few connections for all its tabs, and the server few streams.
"use strict";

let stream, timer;
let hasEnded = false;

function rest() {
  stream?.close();
  clearTimeout(timer);
}

function listenIn(milliseconds) {
  rest();
  timer = setTimeout(listen, milliseconds);
}

function listen() {
  rest();
  stream = new EventSource("/events");
  stream.addEventListener("live", () => (hasEnded = false));
  stream.addEventListener("ended", () => {
    // A new password gives this browser another session. Its cookies arrive just after the old one has ended.
    rest();
    if (hasEnded) location.replace("/login?notice=ended");
    else listenIn(1000);
    hasEnded = true;
  });
  stream.addEventListener("error", () => {
    // Refused for now. A stream that broke off is opened again by the browser.
    if (stream.readyState === EventSource.CLOSED) listenIn(5000);
  });
}

document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
if (!document.hidden) listen();
