/** Below this, a terminal folds the lines itself. */
const fewestColumns = 40;
const hang = '    ';

/**
 * Breaks lines that are wider than `columns` between two words, and puts what follows behind the indent of the line and
 * four spaces. A word that is wider alone, such as a path or a URL, stays whole.
 */
export function fold(text: string, columns: number): string {
  if (columns < fewestColumns) return text;
  return text
    .split('\n')
    .flatMap(line => (line.length > columns ? foldLine(line, columns) : [line]))
    .join('\n');
}

function foldLine(line: string, columns: number): string[] {
  const indent = /^ */.exec(line)?.[0] ?? '';
  const behind = indent.length > columns / 2 ? hang : indent + hang;
  // Each word with the spaces before it, which align columns.
  const [first = '', ...words] = line.match(/ *[^ ]+/g) ?? [];
  const lines = [first];
  for (const word of words) {
    const longer = `${lines.at(-1)}${word}`;
    if (longer.length > columns) lines.push(behind + word.trimStart());
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
