// Uses what the page offers, writes what came of it into #found, and tells the
// server, so that it ends the page's loading.
"use strict";

const found = {};

function within(name, promise) {
  const late = new Promise((resolve) => setTimeout(resolve, 15000, "too late"));
  return Promise.race([promise, late]).catch(String).then((value) => { found[name] = value; });
}

function form() {
  const frame = document.getElementById("answer");
  document.getElementById("long").value = "x".repeat(200000);
  return new Promise((resolve) => {
    frame.addEventListener("load", () => {
      const text = frame.contentDocument.querySelector("pre");
      if (text) resolve(text.textContent);
    });
    document.getElementById("form").submit();
  });
}

function events() {
  return new Promise((resolve, reject) => {
    const source = new EventSource("/events"), all = [];
    source.onerror = () => reject("the stream failed");
    source.onmessage = (event) => {
      all.push(`${event.lastEventId}=${event.data}`);
      if (all.length === 3) { source.close(); resolve(all.join()); }
    };
  });
}

function conversation() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(location.href.replace(/^http/, "ws") + "ws"), all = [];
    const long = "long ".repeat(100000);
    socket.binaryType = "arraybuffer";
    socket.onerror = () => reject("the conversation failed");
    socket.onopen = () => { socket.send("text"); socket.send(new Uint8Array([0, 255])); socket.send(long); };
    socket.onmessage = ({ data }) => {
      all.push(data === long ? "long" : typeof data === "string" ? data : new Uint8Array(data).join("+"));
      if (all.length === 3) socket.close(4001, "enough");
    };
    socket.onclose = (event) => resolve(`${all.join()} ${event.code} ${event.wasClean} ${socket.extensions}`);
  });
}

async function run() {
  const image = document.getElementById("dot");
  await Promise.all([
    within("form", form()),
    within("events", events()),
    within("conversation", conversation()),
    within("protocol", fetch("/protocol").then((response) => response.text())),
    within("upload", fetch("/form", { method: "POST", body: "long=" + "y".repeat(3000000) }).then((response) => response.text())),
    within("image", image.decode().then(() => image.naturalWidth)),
  ]);
  found.style = getComputedStyle(document.getElementById("styled")).width;
  found.hop = performance.getEntriesByType("navigation")[0].nextHopProtocol;
  document.getElementById("found").textContent = JSON.stringify(found);
  await fetch("/report", { method: "POST", body: "done" });
}

run();
