/** Statements built on models, one process a model; what came out is kept beside the page, so that a stopped run goes on. */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';

export type Trial = { readonly model: string; readonly statement: string; readonly seconds: number };

export type Program = {
	/** Prints a line of JSON for each statement that is its argument. */
	readonly path: string;
	/** What one statement may take. */
	readonly seconds: number;
};

/** Every model under these folders, and these models. */
export function modelsIn(paths: readonly string[]): string[] {
	return paths.flatMap((path) =>
		statSync(path).isDirectory()
			? readdirSync(path, { recursive: true, encoding: 'utf8' })
					.filter((name) => name.endsWith('.onnx'))
					.sort()
					.map((name) => join(path, name))
			: [path],
	);
}

export class Trials<Result extends Trial> {
	readonly results: Result[];
	private readonly kept: string;
	private readonly program: Program;

	/** @param page where results are kept beside, as `<page>.jsonl`. */
	constructor(page: string, program: Program) {
		this.kept = `${page}.jsonl`;
		this.program = program;
		this.results = existsSync(this.kept)
			? readFileSync(this.kept, 'utf8')
					.trim()
					.split('\n')
					.filter(Boolean)
					.map((line) => JSON.parse(line) as Result)
			: [];
	}

	/** Builds what was not built before. */
	async build(path: string, statements: readonly string[]): Promise<void> {
		const model = basename(path, '.onnx');
		const done = new Set(this.results.filter((one) => one.model === model).map((one) => one.statement));
		let left = statements.filter((statement) => !done.has(statement));
		while (left.length > 0) left = left.slice(await this.buildSome(path, model, left));
	}

	/** Builds statements in one process until one takes too long; how many are done. */
	private async buildSome(path: string, model: string, statements: readonly string[]): Promise<number> {
		const { path: program, seconds } = this.program;
		const child = spawn(process.execPath, ['--import', 'tsx', program, path, ...statements], {
			stdio: ['ignore', 'pipe', 'ignore'],
		});
		let [count, isLate] = [0, false];
		const late = (): NodeJS.Timeout =>
			setTimeout(() => {
				isLate = true;
				child.kill('SIGKILL');
			}, seconds * 1000);
		let timer = late();
		for await (const line of createInterface({ input: child.stdout })) {
			clearTimeout(timer);
			timer = late();
			this.note({ ...(JSON.parse(line) as Result), model });
			count++;
		}
		clearTimeout(timer);
		if (count === statements.length) return count;
		const crash = isLate ? `longer than ${seconds} s` : 'the process ended';
		const statement = statements[count] ?? '';
		this.note({ model, statement, ok: false, crash, seconds } as unknown as Result);
		return count + 1;
	}

	private note(result: Result): void {
		this.results.push(result);
		appendFileSync(this.kept, `${JSON.stringify(result)}\n`);
		process.stdout.write(`${result.model}\t${result.statement}\t${result.seconds.toFixed(1)} s\n`);
	}
}
