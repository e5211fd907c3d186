/** Comma- and tab-separated values with a line of column names (RFC 4180). A cell that is a number is one. */
import { CsvError, parse, type Info } from 'csv-parse/sync';
import { Fault } from '../diagnostic.ts';
import { unreadableData } from '../messages/data.ts';
import { firstLine, plainRow, readText, rejectRow } from './rows.ts';
import { type Row } from './sample.ts';

type Parsed = { readonly record: Readonly<Record<string, string>>; readonly info: Info };

export function readCsv(path: string): Row[] {
	return readTable(path, ',');
}

export function readTsv(path: string): Row[] {
	return readTable(path, '\t');
}

function readTable(path: string, delimiter: string): Row[] {
	const text = readText(path);
	// Tab-separated values are not quoted: a quotation mark there is a letter.
	const quote = delimiter === ',' ? '"' : null;
	try {
		return parse<Parsed>(text, {
			columns: true,
			info: true,
			skip_empty_lines: true,
			bom: true,
			delimiter,
			quote,
		}).map(({ record, info }) => plainRow(valuesOf(record), `${path}:${info.lines}`));
	} catch (problem) {
		if (problem instanceof CsvError && typeof problem['lines'] === 'number')
			return rejectRow(`${path}:${problem['lines']}`, lowerFirst(problem.message));
		throw new Fault(unreadableData({ path, why: firstLine(problem) }));
	}
}

function valuesOf(record: Readonly<Record<string, string>>): Record<string, unknown> {
	return Object.fromEntries(Object.entries(record).map(([name, cell]) => [name, numberOrText(cell)]));
}

/** Only what a number prints as itself is one, so that `007` and `1e3` stay the texts they are. */
function numberOrText(cell: string): string | number {
	const number = Number(cell);
	return cell.trim() !== '' &&
		String(number) ===
			cell
				.trim()
				.replace(/(\.\d*?)0+$/, '$1')
				.replace(/\.$/, '')
		? number
		: cell;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
