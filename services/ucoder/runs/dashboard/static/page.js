// Replaces the changing part of a run's page with each new rendering that the server sends, until the run has ended.
// The browser reconnects by itself when the connection is lost.
const live = document.getElementById("live");
if (live && live.dataset.source) {
  const source = new EventSource(live.dataset.source);
  source.onmessage = (event) => { live.innerHTML = event.data; };
  source.addEventListener("end", () => source.close());
}
