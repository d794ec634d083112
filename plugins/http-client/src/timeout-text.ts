/** Writes how long a caller still waits, as a server reads it: whole milliseconds, rounded down, so that no server gets more. */
export function timeoutText(header: string, leftMs: number): string {
  const ms = Math.floor(leftMs);
  // gRPC over HTTP/2, "Requests": at most eight digits and a unit.
  if (header.toLowerCase() === 'grpc-timeout') return ms < 100_000_000 ? `${ms}m` : `${Math.floor(ms / 1_000)}S`;
  return String(ms / 1_000);
}
