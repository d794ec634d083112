const width = 80;

/** Fills each paragraph up to 80 columns. Lines that begin with a space are examples, and stay as they are. */
export function wrapText(text: string): string {
  const lines: string[] = [];
  let paragraph: string[] = [];
  const close = () => {
    const [first, ...rest] = paragraph;
    if (first !== undefined) lines.push(...fill(first, rest, ''));
    paragraph = [];
  };
  for (const line of text.split('\n')) {
    if (line !== '' && !line.startsWith(' ')) {
      paragraph.push(...line.split(' '));
      continue;
    }
    close();
    lines.push(line);
  }
  close();
  return lines.join('\n');
}

/** Two columns, the second one filled. */
export function formatTable(rows: readonly (readonly [string, string])[]): string[] {
  const column = 4 + Math.max(...rows.map(([left]) => left.length));
  return rows.flatMap(([left, right]) => fill(`  ${left}`.padEnd(column - 1), right.split(' '), ' '.repeat(column)));
}

/** Lines of `head` and the words behind it, those after the first behind `indent`. */
export function fill(head: string, words: readonly string[], indent: string): string[] {
  const lines = [head];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length > width) lines.push(indent + word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
