// Deletes a group.
document.querySelectorAll("button[data-group]").forEach(button => button.addEventListener("click", async event => {
  event.preventDefault();
  if (!confirm("Delete the group " + button.dataset.labels + "?")) return;
  const answer = await fetch(button.dataset.group, { method: "DELETE" });
  if (answer.ok) location.reload(); else alert(await answer.text());
}));
