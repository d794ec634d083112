import { expect, test } from 'vitest';
import { signalsOf } from './signals.js';

test('SIGHUP reads the configuration again, except on Windows, where a closed console sends it', () => {
  expect(signalsOf('linux')).toEqual({ stop: ['SIGINT', 'SIGTERM'], reload: ['SIGHUP'] });
  expect(signalsOf('darwin')).toEqual(signalsOf('linux'));
  expect(signalsOf('win32').stop).toContain('SIGHUP');
  expect(signalsOf('win32').stop).toContain('SIGBREAK');
  expect(signalsOf('win32').reload).toEqual([]);
});
