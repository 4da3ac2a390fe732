// What the browser keeps between pages. Where it may keep nothing (a policy, a private window), this page does as long as it stands.

const here = new Map();

export function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return here.get(name) ?? null;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    here.set(name, value);
  }
}

export function forget(name) {
  try {
    localStorage.removeItem(name);
  } catch {
    here.delete(name);
  }
}
