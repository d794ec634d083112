/** How the server is to read and write values so that they are taken for what they are, and how it says that it does. */
export const valueFormats: readonly (readonly [setting: string, value: string, fits: RegExp])[] = [
  ['DateStyle', 'ISO', /^ISO\b/i],
  ['IntervalStyle', 'postgres', /^postgres$/i],
  ['standard_conforming_strings', 'on', /^on$/i],
  ['client_encoding', 'UTF8', /^utf-?8$|^unicode$/i],
];

/** Whether values would be taken for other ones when `setting` has this value. */
export function misreads(setting: string, value: string): boolean {
  return valueFormats.some(([name, , fits]) => name === setting && !fits.test(value));
}
