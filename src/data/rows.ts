/** What formats share: files read, rows made, faults with their place. */
import { readFileSync } from 'node:fs';
import { Fault } from '../diagnostic.ts';
import { badRow, noFile, unreadableData } from '../messages/data.ts';
import { type Field, type Row } from './sample.ts';

export function readBytes(path: string): Uint8Array {
	try {
		return readFileSync(path);
	} catch (problem) {
		throw new Fault(noFile({ path, cause: (problem as Error).message }));
	}
}

/** The text of a UTF-8 file, without a byte order mark. */
export function readText(path: string): string {
	const bytes = readBytes(path);
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
	} catch {
		throw new Fault(unreadableData({ path, why: 'it is no UTF-8 text' }));
	}
}

/** Runs a reader of somebody else's format; whatever it throws is the file's fault. */
export function reading<T>(path: string, work: () => T): T {
	try {
		return work();
	} catch (problem) {
		if (problem instanceof Fault) throw problem;
		throw new Fault(unreadableData({ path, why: firstLine(problem) }));
	}
}

export function firstLine(problem: unknown): string {
	const message = problem instanceof Error ? problem.message : String(problem);
	return message.split('\n')[0] ?? message;
}

/** A row of plain values. */
export function plainRow(values: Readonly<Record<string, unknown>>, at: string): Row {
	const fields = Object.entries(values).map(([name, value]): [string, Field] => [
		name,
		{ kind: 'plain', value },
	]);
	return { fields: new Map(fields), at };
}

/** Stops at a row that cannot be used. */
export function rejectRow(at: string, why: string): never {
	throw new Fault(badRow({ why }, { at }));
}
