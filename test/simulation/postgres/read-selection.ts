import { Unreadable, type Words } from './words.ts';

/** A value, as it is written. */
export type Tree =
  | { readonly is: 'text' | 'number'; readonly value: string }
  | { readonly is: 'truth'; readonly value: boolean }
  | { readonly is: 'null' }
  | { readonly is: 'parameter'; readonly at: number }
  | { readonly is: 'column'; readonly name: string }
  | { readonly is: 'cast'; readonly of: Tree; readonly to: string }
  | { readonly is: 'call'; readonly name: string; readonly of: readonly Tree[] }
  | { readonly is: 'operator'; readonly sign: string; readonly left: Tree; readonly right: Tree }
  | { readonly is: 'not'; readonly of: Tree }
  | { readonly is: 'is null'; readonly of: Tree }
  | { readonly is: 'count' }
  | { readonly is: 'subquery'; readonly selection: SelectionTree };

/** `select` of values, over nothing, over what a function gives, or over a view of the server. */
export interface SelectionTree {
  /** Undefined: `*`, all columns. */
  readonly items: readonly ({ readonly tree: Tree; readonly name: string | undefined } | undefined)[];
  readonly from: { readonly name: string; readonly of: readonly Tree[]; readonly alias: string } | undefined;
  readonly where: Tree | undefined;
}

/** The operators, those that bind least first. */
const levels = [['or'], ['and'], ['=', '<>', '<', '>', '<=', '>='], ['||'], ['+', '-'], ['*', '/']] as const;
/** They come without brackets. */
const wordsThatCall = ['current_user', 'session_user'];

/** Behind the word `select`. @throws Unreadable */
export function readSelection(words: Words): SelectionTree {
  const items = words.list(() => {
    if (words.skips('*')) return undefined;
    const tree = readTree(words);
    const isNamed = words.skips('as') || words.ahead?.is === 'name';
    return { tree, name: isNamed ? words.name() : undefined };
  });
  const from = words.skips('from') ? readSource(words) : undefined;
  return { items, from, where: words.skips('where') ? readTree(words) : undefined };
}

function readSource(words: Words): SelectionTree['from'] {
  const name = words.name();
  const of = words.skips('(') ? readList(words) : [];
  const isNamed = words.skips('as') || words.ahead?.is === 'name';
  return { name, of, alias: isNamed ? words.name() : name };
}

/** The rest of a list in brackets, which may have nothing in it. */
function readList(words: Words): readonly Tree[] {
  if (words.skips(')')) return [];
  const all = words.list(() => readTree(words));
  words.expect(')');
  return all;
}

export function readTree(words: Words, level = 0): Tree {
  const signs = levels[level];
  if (signs === undefined) return readCast(words);
  let tree = level === 2 && words.skips('not') ? negated(readTree(words, level)) : readTree(words, level + 1);
  for (;;) {
    const sign = signs.find(each => words.skips(each));
    if (sign !== undefined) tree = { is: 'operator', sign, left: tree, right: readTree(words, level + 1) };
    else if (level === 2 && words.skips('is', 'not', 'null')) tree = negated({ is: 'is null', of: tree });
    else if (level === 2 && words.skips('is', 'null')) tree = { is: 'is null', of: tree };
    else return tree;
  }
}

function negated(of: Tree): Tree {
  return { is: 'not', of };
}

function readCast(words: Words): Tree {
  let tree = readSingle(words);
  while (words.skips('::')) tree = { is: 'cast', of: tree, to: words.name() };
  return tree;
}

function readSingle(words: Words): Tree {
  if (words.skips('(', 'select')) {
    const selection = readSelection(words);
    words.expect(')');
    return { is: 'subquery', selection };
  }
  if (words.skips('(')) {
    const tree = readTree(words);
    words.expect(')');
    return tree;
  }
  if (words.skips('count', '(', '*', ')')) return { is: 'count' };
  if (words.skips('null')) return { is: 'null' };
  if (words.skips('-')) return { is: 'number', value: `-${numberIn(words)}` };
  const { is, value } = words.take();
  if (is === 'text' || is === 'number') return { is, value };
  if (is === 'parameter') return { is, at: Number(value) - 1 };
  if (is === 'sign') throw new Unreadable();
  if (is === 'word' && (value === 'true' || value === 'false')) return { is: 'truth', value: value === 'true' };
  if (is === 'word' && wordsThatCall.includes(value)) return { is: 'call', name: value, of: [] };
  return words.skips('(') ? { is: 'call', name: value, of: readList(words) } : { is: 'column', name: value };
}

function numberIn(words: Words): string {
  const { is, value } = words.take();
  if (is !== 'number') throw new Unreadable();
  return value;
}
