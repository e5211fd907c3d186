/** JSON lines (https://jsonlines.org): each line an object of texts, labels, or nested arrays by input name. */
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { badRow } from '../messages/data.ts';
import { plainRow, readText } from './rows.ts';
import { type Row } from './sample.ts';

/** Throws `Fault` with a diagnostic for each line that holds no object. */
export function readJsonLines(path: string): Row[] {
	const problems: Diagnostic[] = [];
	const rows = readText(path)
		.split('\n')
		.flatMap((line, index): Row[] => {
			if (line.trim() === '') return [];
			const at = `${path}:${index + 1}`;
			const value = parse(line);
			if (typeof value === 'object' && value !== null && !Array.isArray(value))
				return [plainRow(value as Record<string, unknown>, at)];
			const why = value === undefined ? 'this line is no JSON' : 'this line holds no JSON object';
			problems.push(badRow({ why }, { at }));
			return [];
		});
	if (problems.length > 0) throw new Fault(...problems);
	return rows;
}

/** Undefined for what is no JSON. */
function parse(line: string): unknown {
	try {
		return JSON.parse(line);
	} catch {
		return undefined;
	}
}
