/** Commands side by side: they take turns, so that the machine's moods hit all alike, and are compared by medians. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from '../src/report/tables.ts';

export type Command = {
	readonly name: string;
	readonly argv: readonly [program: string, ...args: string[]];
	/** Runs before each turn, outside the measurement. */
	readonly before?: () => void;
};
/** Wall time, processor time of all threads, and the largest resident memory. */
export type Measured = { readonly ms: number; readonly cpuMs: number; readonly megabytes: number };

/** One measured run by GNU time. Throws when the command fails, with what it said. */
export function measure({ argv, before }: Command): Measured {
	before?.();
	const folder = mkdtempSync(join(tmpdir(), 'prunec-bench-'));
	const report = join(folder, 'time');
	const start = performance.now();
	const { status, error, stderr } = spawnSync('/usr/bin/time', ['-f', '%U %S %M', '-o', report, ...argv], {
		encoding: 'utf8',
	});
	const ms = performance.now() - start;
	if (error !== undefined) throw error;
	if (status !== 0) throw new Error(`${argv.join(' ')}: status ${status ?? ''}\n${stderr}`);
	const [user = 0, system = 0, kilobytes = 0] = readFileSync(report, 'utf8').split(' ').map(Number);
	rmSync(folder, { recursive: true });
	return { ms, cpuMs: 1000 * (user + system), megabytes: kilobytes / 1024 };
}

/** Runs every command `rounds` times in turns, after one turn that does not count. */
export function sideBySide(commands: readonly Command[], rounds: number): Map<string, Measured[]> {
	const results = new Map<string, Measured[]>(commands.map(({ name }) => [name, []]));
	for (let round = -1; round < rounds; round++) {
		for (const command of commands) {
			const measured = measure(command);
			if (round >= 0) results.get(command.name)?.push(measured);
		}
	}
	return results;
}

export function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** Medians with their spread; ratios are medians of the ratios within a turn, against the command named. */
export function report(results: ReadonlyMap<string, readonly Measured[]>, against: string): string {
	const base = results.get(against) ?? [];
	const rows = [...results].map(([name, runs]) => {
		const times = runs.map(({ ms }) => ms);
		const memory = runs.map(({ megabytes }) => megabytes);
		return [
			name,
			...[median(times), Math.min(...times), Math.max(...times)].map((ms) => ms.toFixed(0)),
			ratio(runs, base, 'ms').toFixed(2),
			median(runs.map(({ cpuMs }) => cpuMs)).toFixed(0),
			median(memory).toFixed(0),
			ratio(runs, base, 'megabytes').toFixed(2),
		];
	});
	return table([['', 'median ms', 'least', 'most', 'x time', 'cpu ms', 'peak MB', 'x memory'], ...rows]);
}

export function ratio(runs: readonly Measured[], base: readonly Measured[], what: keyof Measured): number {
	return median(runs.map((run, at) => run[what] / (base[at]?.[what] ?? NaN)));
}

/** Processor time that this process has used, in seconds. */
export function processorSeconds(): number {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1e6;
}
