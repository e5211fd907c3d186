/** Plain text: every line that is not blank is an example. */
import { plainRow, readText } from './rows.ts';
import { type Row } from './sample.ts';

export function readLines(path: string): Row[] {
	return readText(path)
		.split(/\r\n|\r|\n/)
		.flatMap((text, at) => (text.trim() === '' ? [] : [plainRow({ text }, `${path}:${at + 1}`)]));
}
