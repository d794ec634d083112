/** The one that is known by its name, made at first. */
export function madeOnce<Made>(all: Map<string, Made>, name: string, make: () => Made): Made {
  const known = all.get(name);
  if (known !== undefined) return known;
  const made = make();
  all.set(name, made);
  return made;
}
