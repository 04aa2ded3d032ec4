// A layer's row and the blocks that it reads or writes light up together; a block says below the picture what it is.
// Without this the page has the same figures: titles on hover, and the table.
for (const section of document.querySelectorAll(".memory-of")) {
  const blocks = [...section.querySelectorAll("g.block[data-layers]")];
  const rows = [...section.querySelectorAll("tr[data-layer]")];
  const tip = section.querySelector(".tip");
  const layersOf = (block) => block.dataset.layers.split(" ");
  const light = (layers, only) => {
    for (const row of rows) row.classList.toggle("lit", layers.includes(row.dataset.layer));
    for (const block of blocks) block.classList.toggle("lit", only ? block === only : layersOf(block).some((l) => layers.includes(l)));
  };
  for (const row of rows) {
    row.addEventListener("pointerenter", () => light([row.dataset.layer]));
    row.addEventListener("pointerleave", () => light([]));
  }
  for (const block of section.querySelectorAll("g.block")) {
    const title = block.querySelector("title");
    if (!title) continue;
    const show = () => {
      light(block.dataset.layers ? layersOf(block) : [], block);
      tip.textContent = title.textContent;
    };
    block.addEventListener("pointerenter", show);
    block.addEventListener("click", show);
    block.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "mouse") return;
      light([]);
      tip.textContent = "";
    });
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest("g.block")) tip.textContent = "";
  });
}
