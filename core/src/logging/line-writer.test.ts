import { Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { LineWriter } from './line-writer.js';

/** A stream whose reader takes nothing until the test releases it. */
function stalled() {
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  const stream = new Writable({
    highWaterMark: 1,
    write(chunk, _encoding, done) {
      waiting.push(() => {
        taken.push(...String(chunk).trimEnd().split('\n'));
        done();
      });
    },
  });
  const resume = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      next();
      await new Promise(resolve => setImmediate(resolve));
    }
  };
  return { stream, taken, resume };
}

test('flush waits for the lines written before it, and for no other', async () => {
  const { stream, taken, resume } = stalled();
  const writer = new LineWriter(stream, 1_000, String);
  writer.write('one');
  let flushed = false;
  const flush = writer.flush().then(() => {
    flushed = true;
  });
  await new Promise(resolve => setImmediate(resolve));
  expect(flushed).toBe(false);
  await resume();
  await flush;
  expect(taken).toEqual(['one']);
});

test('a stalled reader costs no more memory than allowed, and later gets the number of lost lines', async () => {
  const { stream, taken, resume } = stalled();
  const writer = new LineWriter(stream, 30, dropped => `dropped ${dropped}`);
  for (let line = 0; line < 10; line++) writer.write(`line ${line} xx`);
  await resume();
  writer.write('after');
  await resume();
  await writer.flush();
  expect(taken).toEqual(['line 0 xx', 'line 1 xx', 'line 2 xx', 'dropped 7', 'after']);
});

test('flush reports lines dropped at the end', async () => {
  const { stream, taken, resume } = stalled();
  const writer = new LineWriter(stream, 10, dropped => `dropped ${dropped}`);
  writer.write('12345678');
  writer.write('12345678');
  const flushed = writer.flush();
  await resume();
  await flushed;
  expect(taken).toEqual(['12345678', 'dropped 1']);
});

test('a stream that fails or throws swallows lines, and flush still resolves', async () => {
  const failing = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
  const writer = new LineWriter(failing, 1_000, String);
  writer.write('one');
  await writer.flush();
  writer.write('two');
  await writer.flush();

  const full = new Writable();
  full.write = () => {
    throw new Error('ENOSPC');
  };
  const another = new LineWriter(full, 1_000, String);
  another.write('one');
  await another.flush();
});

/** A stream that takes everything, and how it was written. */
function open() {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { stream, chunks };
}

test('collected lines are written together, a moment later', async () => {
  const { stream, chunks } = open();
  const writer = new LineWriter(stream, 1_000, String);
  writer.collect('one');
  writer.collect('two');
  expect(chunks).toEqual([]);
  await vi.waitFor(() => expect(chunks).toEqual(['one\ntwo\n']));
});

test('a line that is not collected takes those before it along at once', () => {
  const { stream, chunks } = open();
  const writer = new LineWriter(stream, 1_000, String);
  writer.collect('one');
  writer.write('two');
  expect(chunks).toEqual(['one\ntwo\n']);
});

test('flush writes collected lines at once', async () => {
  const { stream, chunks } = open();
  const writer = new LineWriter(stream, 1_000, String);
  writer.collect('one');
  const flushed = writer.flush();
  expect(chunks).toEqual(['one\n']);
  await flushed;
});

test('as many lines as fill a pipe by a quarter do not wait, and lines that wait count as buffered', () => {
  const { stream, chunks } = open();
  const writer = new LineWriter(stream, 100_000, String);
  for (let line = 0; line < 16; line++) writer.collect('x'.repeat(1_023));
  expect(chunks.map(chunk => chunk.length)).toEqual([16_384]);

  const narrow = open();
  const bounded = new LineWriter(narrow.stream, 10, dropped => `dropped ${dropped}`);
  for (let line = 0; line < 3; line++) bounded.collect('12345678');
  void bounded.flush();
  expect(narrow.chunks).toEqual(['12345678\ndropped 2\n']);
});

test('lines of two writers to one stream keep their order', () => {
  const { stream, chunks } = open();
  const [one, two] = [new LineWriter(stream, 1_000, String), new LineWriter(stream, 1_000, String)];
  one.collect('one');
  two.collect('two');
  one.collect('three');
  two.write('four');
  expect(chunks.join('')).toBe('one\ntwo\nthree\nfour\n');
});
