"use strict";
/* A click on a cell of the confusion matrix shows its worst examples. */
document.querySelectorAll("table.confusion").forEach(function (table) {
  var shown = table.closest(".matrix").querySelector(".shown");
  function show(cell) {
    table.querySelectorAll(".on").forEach(function (c) { c.classList.remove("on"); });
    cell.classList.add("on");
    shown.textContent = "";
    var line = document.createElement("p"), grid = document.createElement("div");
    line.textContent = cell.title;
    grid.className = "grid";
    cell.dataset.e.split(",").forEach(function (id) {
      var figure = document.getElementById("f" + id);
      if (figure) { figure = figure.cloneNode(true); figure.removeAttribute("id"); grid.appendChild(figure); }
    });
    shown.appendChild(line);
    shown.appendChild(grid);
  }
  /* To begin with, the cell that holds most mistakes. */
  var most = null;
  table.querySelectorAll("td.m[data-e]").forEach(function (c) {
    if (!most || Number(c.textContent.replace(/,/g, "")) > Number(most.textContent.replace(/,/g, ""))) most = c;
  });
  if (most) show(most);
  table.addEventListener("click", function (e) { var c = e.target.closest("[data-e]"); if (c) show(c); });
  table.addEventListener("keydown", function (e) {
    var c = e.target.closest("[data-e]");
    if (c && (e.key === "Enter" || e.key === " ")) { e.preventDefault(); show(c); }
  });
});
/* What is folded on the screen is printed. */
window.addEventListener("beforeprint", function () {
  document.querySelectorAll("details:not([open])").forEach(function (d) { d.open = true; d.dataset.printed = ""; });
});
window.addEventListener("afterprint", function () {
  document.querySelectorAll("details[data-printed]").forEach(function (d) { d.open = false; d.removeAttribute("data-printed"); });
});
