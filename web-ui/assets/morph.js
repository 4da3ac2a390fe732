// Makes a part of a page what it is in another page, and touches nothing that is the same in both: so what has the focus,
// is chosen, opened, scrolled or typed stays so.

// What tells an element from its neighbours wherever it stands.
const key = (node) => node.dataset?.key || node.id || "";

export function morph(from, to) {
  if (from.isEqualNode(to)) {
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) {
    from.nodeValue = to.nodeValue;
    return;
  }
  attributes(from, to);
  // What the script says there is its own; were it emptied and set again, a screen reader would say it again.
  if (from.localName !== "output") {
    children(from, to);
  }
}

function attributes(from, to) {
  // What a person has opened stays open.
  const theirs = (name) => name === "open" && from.matches("details, dialog");
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !theirs(name)) {
      from.removeAttribute(name);
    }
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value && !theirs(name)) {
      from.setAttribute(name, value);
    }
  }
}

function children(from, to) {
  const known = new Map([...from.children].filter(key).map((child) => [key(child), child]));
  // What is gone goes first: were it there still, all behind it would be moved before it, and what is moved loses the focus.
  const wanted = new Set([...to.children].map(key));
  for (const [name, child] of known) {
    if (!wanted.has(name)) {
      known.delete(name);
      child.remove();
    }
  }
  let at = from.firstChild;
  for (const next of [...to.childNodes]) {
    const old = counterpart(at, next, known);
    if (!old) {
      from.insertBefore(next, at);
      continue;
    }
    // What has no name and stands before it goes, the text between two rows too: moved before that, it would lose the focus.
    while (old !== at && at && !key(at)) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    if (old === at) {
      at = at.nextSibling;
    } else {
      from.insertBefore(old, at);
    }
    morph(old, next);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function counterpart(at, next, known) {
  const name = key(next);
  if (!name) {
    return at && !key(at) && at.nodeName === next.nodeName ? at : undefined;
  }
  const old = known.get(name);
  known.delete(name);
  return old?.nodeName === next.nodeName ? old : undefined;
}
