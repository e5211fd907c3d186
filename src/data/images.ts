/** PNG and JPEG images. */
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { Fault } from '../diagnostic.ts';
import { unreadableData } from '../messages/data.ts';
import { readBytes, reading } from './rows.ts';
import { type Pixels, type Row } from './sample.ts';

export function readImage(path: string): Row[] {
	return [
		{
			fields: new Map([['image', { kind: 'image', open: () => decodeImage(readBytes(path), path) }]]),
			at: path,
		},
	];
}

/** Eight bits a channel; what the first bytes say counts, not the name. `path` is for messages. */
export function decodeImage(bytes: Uint8Array, path: string): Pixels {
	const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (bytes[0] === 0x89 && bytes[1] === 0x50) return reading(path, () => PNG.sync.read(buffer));
	if (bytes[0] === 0xff && bytes[1] === 0xd8)
		return reading(path, () => jpeg.decode(buffer, { useTArray: true, maxMemoryUsageInMB: 2048 }));
	throw new Fault(unreadableData({ path, why: 'it is neither PNG nor JPEG' }));
}
