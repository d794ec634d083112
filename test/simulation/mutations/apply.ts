import { registerHooks } from 'node:module';
import { type Edit, type Mutation, mutations } from './mutations.ts';

/** @throws Error for a name that no mutation has. */
export function mutationCalled(name: string): Mutation {
  const found = mutations.find(mutation => mutation.name === name);
  if (found === undefined) throw new Error(`no mutation is called "${name}"`);
  return found;
}

/** From now on the built files are loaded with the bug in them. To be called before they are loaded; the files are not changed. */
export function plant(mutation: Mutation): void {
  const edits = editsOf(mutation);
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const own = edits.filter(({ file }) => url.endsWith(file));
      if (own.length === 0) return loaded;
      return { ...loaded, source: own.reduce(edited, String(loaded.source)) };
    },
  });
}

export function editsOf(mutation: Mutation): readonly Edit[] {
  return [mutation, ...(mutation.also ?? [])];
}

/** @throws Error when the source does not have the code of the edit exactly once. */
export function edited(source: string, { file, find, replace }: Edit): string {
  if (source.split(find).length !== 2)
    throw new Error(`${file} has the code of the mutation not exactly once: ${find}`);
  return source.replace(find, () => replace);
}
