/** The url of a database, through a proxy at another address. */
export function urlThrough(
  { host, port }: { readonly host: string; readonly port: number },
  databaseUrl: string,
): string {
  const url = new URL(databaseUrl);
  url.hostname = host;
  url.port = String(port);
  return url.href;
}
