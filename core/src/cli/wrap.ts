const width = 100;

/** Fills each paragraph up to 100 columns. Lines that begin with a space are examples, and stay as they are. */
export function wrapText(text: string): string {
  const lines: string[] = [];
  let paragraph: string[] = [];
  const close = () => {
    if (paragraph.length > 0) lines.push(...fill(paragraph, ''));
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

/** `head` with the words of a usage behind it, what belongs to an option kept on one line. */
export function wrapUsage(head: string, usage: string): string {
  const words = usage.match(/\[[^\]]*\]+\S*|\S+/g) ?? [];
  return fill([head, ...words], '  ').join('\n');
}

/** Lines of `words`, those after the first behind `indent`. */
function fill(words: readonly string[], indent: string): string[] {
  const [first = '', ...rest] = words;
  const lines = [first];
  for (const word of rest) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length > width) lines.push(indent + word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
