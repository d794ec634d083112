/** Returns the object of this name in `all`; the first call for a name makes it. */
export function madeOnce<Made>(all: Map<string, Made>, name: string, make: () => Made): Made {
  const known = all.get(name);
  if (known !== undefined) return known;
  const made = make();
  all.set(name, made);
  return made;
}
