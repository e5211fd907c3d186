/** `pareto`: a recipe at many settings of its parameters. Points are measured in processes of their own, by the commands that `--jobs` prints. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { curvePage, curveTable } from '../report/pareto.ts';
import {
	hashOf,
	measurePoint,
	pointsCache,
	storedPoint,
	type CurveTask,
	type Stored,
} from '../tasks/pareto.ts';
import { combinations, type Point } from '../tasks/sweep.ts';
import {
	operands,
	parameter,
	pipelineOptions,
	print,
	printJson,
	Usage,
	whole,
	type Flags,
	type Status,
} from './shared.ts';
import { progress } from './terminal.ts';

type Operands = readonly [first: string | undefined, second: string | undefined];

export async function pareto(...[first, second, flags]: [...Operands, Flags]): Promise<Status> {
	const [recipe, model] = await operands(first, second, flags);
	const points = pointsOf(flags);
	if (flags.jobs === true) {
		for (const point of points) print(commandFor([first, second], point, flags).map(quoted).join(' '));
		return 0;
	}
	const { out: _, params: _params, ...options } = pipelineOptions(flags);
	const task: CurveTask = {
		...{ ...options, recipe: recipe.text, model },
		...(recipe.path !== undefined && { recipePath: recipe.path }),
		...(recipe.imports && { imports: recipe.imports }),
	};
	const folder = flags.out === undefined ? pointsCache() : join(flags.out, 'points');
	const [only, ...others] = points;
	if (flags.collect !== true && only !== undefined && others.length === 0)
		await measurePoint(task, only, folder);
	else if (flags.collect !== true) await measureAll([first, second], points, task, folder, flags);
	return show(task, points, folder, flags);
}

function pointsOf(flags: Flags): readonly Point[] {
	const params = (flags.param ?? []).map(parameter);
	const points = combinations(params);
	if (points === undefined)
		throw new Usage('a range of values is first:last:step, numbers of one unit, as part=20%:80%:20%');
	return points;
}

/** The command that measures one point, and does nothing where it is known. */
function commandFor([first, second]: Operands, point: Point, flags: Flags): string[] {
	const { expression, shape = [], data, seed, threads, samples, out } = flags;
	const plain = {
		'-e': expression,
		'--data': data,
		'--seed': seed,
		'--threads': threads,
		'--samples': samples,
		'-o': out,
	};
	return [
		...['prunec', 'pareto', ...[first, second].filter((one) => one !== undefined)],
		...Object.entries(point).flatMap(([name, value]) => ['-p', `${name}=${value}`]),
		...shape.flatMap((one) => ['--shape', one]),
		...Object.entries(plain).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])),
		'--quiet',
	];
}

/** A word as bash and its kin read it, on one line. */
function quoted(word: string): string {
	if (/^[\w%+,./:=@-]+$/.test(word)) return word;
	if (!word.includes('\n')) return `'${word.replaceAll("'", "'\\''")}'`;
	return `$'${word.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;
}

/** So many at a time; what is known is not asked for again. */
async function measureAll(
	given: Operands,
	points: readonly Point[],
	task: CurveTask,
	folder: string,
	flags: Flags,
): Promise<void> {
	if (given[0] === '-') throw new Usage('a recipe from standard input has one point: name a file, or use -e');
	const workers = Math.max(1, whole('workers', flags.workers ?? '1'));
	const open: Point[] = [];
	for (const point of points)
		if (storedPoint(folder, await hashOf(task, point)) === undefined) open.push(point);
	const running = new Set<ChildProcess>();
	const stop = (): void => {
		for (const child of running) child.kill();
	};
	process.once('exit', stop);
	const all = open.length;
	const work = async (): Promise<void> => {
		for (let point = open.shift(); point !== undefined; point = open.shift()) {
			progress.say(`point ${all - open.length} of ${all}: ${Object.values(point).join(' ')}`);
			await runOne(commandFor(given, point, flags), running);
		}
	};
	await Promise.all(Array.from({ length: workers }, work));
	process.off('exit', stop);
	progress.clear();
}

/** This program with other arguments. What it complains of is passed on; a point that could not be measured is missing then. */
function runOne([, ...args]: readonly string[], running: Set<ChildProcess>): Promise<void> {
	const [, script = ''] = process.argv;
	const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
		stdio: ['ignore', 'ignore', 'inherit'],
	});
	running.add(child);
	return new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', () => {
			running.delete(child);
			resolve();
		});
	});
}

/** The curve of the points that are known. @returns 1 where one is missing, or none could be built. */
async function show(
	task: CurveTask,
	points: readonly Point[],
	folder: string,
	flags: Flags,
): Promise<Status> {
	const found: Stored[] = [];
	for (const point of points) {
		const known = storedPoint(folder, await hashOf(task, point));
		if (known !== undefined) found.push(known);
	}
	const missing = points.length - found.length;
	const ok = missing === 0 && found.some((point) => point.ok);
	const document = {
		schema: 'prunec/pareto@1',
		ok,
		model: task.model,
		points: found,
		missing,
		diagnostics: [],
	};
	if (flags.out !== undefined && points.length > 1) {
		mkdirSync(flags.out, { recursive: true });
		writeFileSync(join(flags.out, 'curve.json'), `${JSON.stringify(document, null, '\t')}\n`);
		writeFileSync(
			join(flags.out, 'index.html'),
			curvePage(`${task.model.replace(/^.*[/\\]/, '')}: cost and quality`, found),
		);
	}
	if (flags.json === true) printJson(document);
	else if (flags.quiet !== true) {
		print(curveTable(found));
		if (missing > 0) print(`${missing} of ${points.length} points are not measured yet`);
	}
	return ok ? 0 : 1;
}
