import { crc32, deflateSync, inflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const mostColours = 256;

interface Picture {
  readonly width: number;
  readonly height: number;
  /** Three bytes for each pixel. */
  readonly pixels: Buffer;
}

/** A screenshot with at most 256 colours: about a third of its bytes. Pages of text and lines look the same. */
export function smallPng(png: Buffer): Buffer {
  const picture = decode(png);
  const palette = frequentColours(picture);
  const { width, height, pixels } = picture;
  const rows = Buffer.alloc((width + 1) * height);
  const nearest = nearestIn(palette);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = nearest(colourAt(pixels, y * width + x));
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap(colour => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  const data = deflateSync(rows, { level: 9, memLevel: 9 });
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** What Chromium makes: 8 bits, RGB or RGBA, not interlaced. */
function decode(png: Buffer): Picture {
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const [depth, type, , , interlaced] = png.subarray(24, 29);
  if (depth !== 8 || (type !== 2 && type !== 6) || interlaced !== 0) throw new Error('not a screenshot of Chromium');
  const size = type === 6 ? 4 : 3;
  const packed: Buffer[] = [];
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) {
    const end = at + 8 + png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') packed.push(png.subarray(at + 8, end));
  }
  const rows = inflateSync(Buffer.concat(packed));
  const stride = width * size;
  const pixels = Buffer.alloc(width * height * 3);
  let above = Buffer.alloc(stride);
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1);
    const row = unfiltered(rows[start] ?? 0, rows.subarray(start + 1, start + 1 + stride), above, size);
    for (let x = 0; x < width; x++) row.copy(pixels, (y * width + x) * 3, x * size, x * size + 3);
    above = row;
  }
  return { width, height, pixels };
}

function unfiltered(filter: number, bytes: Buffer, above: Buffer, size: number): Buffer<ArrayBuffer> {
  const row = Buffer.alloc(bytes.length);
  for (const [index, byte] of bytes.entries()) {
    const left = row[index - size] ?? 0;
    const up = above[index] ?? 0;
    const corner = index < size ? 0 : (above[index - size] ?? 0);
    row[index] = byte + guessOf(filter, left, up, corner);
  }
  return row;
}

function guessOf(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    default:
      return paeth(left, up, corner);
  }
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function colourAt(pixels: Buffer, index: number): number {
  return pixels.readUIntBE(index * 3, 3);
}

function frequentColours({ width, height, pixels }: Picture): number[] {
  const counts = new Map<number, number>();
  for (let index = 0; index < width * height; index++) {
    const colour = colourAt(pixels, index);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const byCount = [...counts].sort(([, a], [, b]) => b - a).map(([colour]) => colour);
  return spread(byCount).slice(0, mostColours);
}

/** The most frequent first, and none that is nearly the same as one before it. */
function spread(colours: readonly number[]): number[] {
  const chosen: number[] = [];
  for (const within of [48, 12, 0]) {
    for (const colour of colours) {
      if (chosen.length >= mostColours) return chosen;
      if (chosen.every(other => distance(colour, other) > within)) chosen.push(colour);
    }
  }
  return chosen;
}

function nearestIn(palette: readonly number[]): (colour: number) => number {
  const known = new Map<number, number>();
  return colour => {
    const found = known.get(colour);
    if (found !== undefined) return found;
    let best = 0;
    let least = Infinity;
    for (const [index, other] of palette.entries()) {
      const far = distance(colour, other);
      if (far < least) [best, least] = [index, far];
    }
    known.set(colour, best);
    return best;
  };
}

function distance(a: number, b: number): number {
  const red = (a >> 16) - (b >> 16);
  const green = ((a >> 8) & 255) - ((b >> 8) & 255);
  const blue = (a & 255) - (b & 255);
  return red * red + green * green + blue * blue;
}
