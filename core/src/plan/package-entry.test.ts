import { posix, win32 } from 'node:path';
import { expect, test } from 'vitest';
import { isPath, pathOf } from './package-entry.js';

test.each([
  './x.js',
  '../x.js',
  '/srv/x.js',
  '.\\x.js',
  'C:/svc/x.js',
  'c:\\svc\\x.js',
  '\\\\server\\x.js',
  'file:///srv/x.js',
])('%s is a path', use => expect(isPath(use)).toBe(true));

test.each(['@acme/mail', 'mail', 'none', 'c', 'npm:mail'])('%s is no path', use => expect(isPath(use)).toBe(false));

test.each([
  ['C:/svc/x.js', 'D:\\shop', 'C:\\svc\\x.js'],
  ['./dist/x.js', 'D:\\shop', 'D:\\shop\\dist\\x.js'],
  ['.\\dist\\x.js', 'D:\\shop', 'D:\\shop\\dist\\x.js'],
  ['/svc/x.js', 'D:\\shop', 'D:\\svc\\x.js'],
  ['file:///C:/svc/a%20b.js', 'D:\\shop', 'C:\\svc\\a b.js'],
])('on Windows, %s in %s is %s', (use, directory, file) => expect(pathOf(use, directory, win32)).toBe(file));

test.each([
  ['./x.js', '/shop', '/shop/x.js'],
  ['/svc/x.js', '/shop', '/svc/x.js'],
  ['file:///svc/a%20b.js', '/shop', '/svc/a b.js'],
  ['file://host/x.js', '/shop', '/shop/file:/host/x.js'],
])('elsewhere, %s in %s is %s', (use, directory, file) => expect(pathOf(use, directory, posix)).toBe(file));
