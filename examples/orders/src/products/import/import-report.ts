/** Bad lines that are listed; further ones are counted. */
const listed = 20;

export interface BadLine {
  readonly line: number;
  readonly problem: string;
}

/** What an import has found and stored so far, in a memory that does not grow with the file. */
export class ImportReport {
  readonly badLines: BadLine[] = [];
  bad = 0;
  stored = 0;
  /** The last line of what is stored. */
  storedUpTo = 0;

  /** Before the file is read again. */
  clear(): void {
    this.badLines.length = 0;
    this.bad = 0;
  }

  refuse(line: number, problem: string): void {
    this.bad += 1;
    if (this.badLines.length < listed) this.badLines.push({ line, problem });
  }

  /** One line for each that is listed, in the order of the file. */
  describe(): readonly string[] {
    const lines = this.badLines
      .toSorted((one, other) => one.line - other.line)
      .map(({ line, problem }) => `line ${line}: ${problem}`);
    return this.bad > lines.length ? [...lines, `and ${this.bad - lines.length} more`] : lines;
  }
}
