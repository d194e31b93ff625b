// Puts the server's latest rendering of a run in place, for as long as the run goes on. The browser reconnects by itself.
const live = document.getElementById("live");
if (live && live.dataset.source) {
  const source = new EventSource(live.dataset.source);
  source.onmessage = (event) => { live.innerHTML = event.data; };
  source.addEventListener("end", () => source.close());
}
