import { definePluginCommand } from '@keelson/core';
import { type ImportArguments, importArguments } from './import-arguments.js';

/** Light, as a part of the manifest. */
export const importCommand = definePluginCommand<ImportArguments>({
  description: 'Adds the products of a CSV file.',
  arguments: importArguments,
  load: () => import('./run-import.js'),
});
