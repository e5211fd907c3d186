/** One point: a model pruned by one method to one amount, how good it is and how long it takes. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { compareTimes } from '../../src/backends/ort/latency.ts';
import { compile } from '../../src/compile.ts';
import { type Method } from './methods.ts';
import { type Figure, type Subject } from './subjects.ts';

export type Point = {
	readonly subject: string;
	readonly amount: string;
	readonly method: string;
	readonly statement: string;
	/** Why there is none. */
	readonly error?: string;
	readonly figures: readonly Figure[];
	/** Shares of the original's. */
	readonly macs: number;
	readonly params: number;
	readonly bytes: number;
	readonly time: number;
	readonly milliseconds: number;
};

const work = 'out/quality';

/** A file of results, made once; delete it to measure again. */
async function remembered<T>(name: string, make: () => Promise<T>): Promise<T> {
	mkdirSync(work, { recursive: true });
	const path = fileOf(name);
	if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as T;
	const made = await make();
	writeFileSync(path, JSON.stringify(made, null, '\t'));
	return made;
}

/** Whether a point is there already. */
export function isMeasured(subject: Subject, amount: string, method: Method): boolean {
	return existsSync(fileOf(`${subject.name} ${amount} ${method.name}`));
}

const fileOf = (name: string): string => join(work, `${name.replace(/[^\w%]+/g, '-')}.json`);

/** What the original does. */
export const originalOf = ({ name, judge, model }: Subject): Promise<readonly Figure[]> =>
	remembered(`${name} original`, () => judge(model));

/** The amount of each group, and the multiply–adds that it leaves: found without data, by the size of weights. */
function uniform(
	subject: Subject,
	amount: string,
): Promise<{ readonly each: string; readonly macs: number }> {
	return remembered(`${subject.name} ${amount} uniform`, async () => {
		const asked = /^macs (\d+)%$/.exec(amount)?.[1];
		const shares = asked === undefined ? [amount] : range(4, 80, 4).map((one) => `${one}%`);
		for (const each of shares) {
			const macs = await macsAfter(subject, each);
			if (asked === undefined || macs <= Number(asked) / 100) return { each, macs };
		}
		throw new Error(`no amount of ${subject.name} leaves ${amount}`);
	});
}

async function macsAfter({ model, targets }: Subject, each: string): Promise<number> {
	const recipe = targets.map((target) => `prune ${target} ${each} by l2`).join('; ');
	const { model: before, output } = await compile({ recipe, model, verify: false });
	return (output?.macs ?? 0) / (before?.macs ?? 1);
}

function range(from: number, to: number, step: number): number[] {
	return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => from + at * step);
}

export async function measure(subject: Subject, amount: string, method: Method): Promise<Point> {
	const { each, macs } = await uniform(subject, amount);
	const target = method.chooses === true ? `${(100 * macs).toFixed(2)}%` : each;
	const statement = method.statement(subject.targets, target);
	return remembered(`${subject.name} ${amount} ${method.name}`, () =>
		made(subject, { subject: subject.name, amount, method: method.name, statement }),
	);
}

async function made(
	{ model, data, judge }: Subject,
	named: Pick<Point, 'subject' | 'amount' | 'method' | 'statement'>,
): Promise<Point> {
	const out = join(work, `${process.pid}.onnx`);
	const { statement } = named;
	const built = await compile({ recipe: statement, model, data, out, verify: false, force: true });
	const { model: before, output, ok, diagnostics } = built;
	if (!ok || before === undefined || output === undefined) {
		const error = diagnostics.find(({ severity }) => severity === 'error')?.message ?? 'not built';
		return { ...named, error, figures: [], macs: NaN, params: NaN, bytes: NaN, time: NaN, milliseconds: NaN };
	}
	try {
		const { ms, ratio } = await timesOf(model, out);
		return {
			...named,
			figures: await judge(out),
			macs: (output.macs ?? 0) / before.macs,
			params: (output.params ?? 0) / before.params,
			bytes: (output.bytes ?? 0) / before.bytes,
			time: ratio,
			milliseconds: ms * ratio,
		};
	} finally {
		rmSync(out, { force: true });
	}
}

async function timesOf(original: string, result: string): ReturnType<typeof compareTimes> {
	const [first, second] = [loadModel(original), loadModel(result)];
	try {
		return await compareTimes(first.model, second.model, new Map(), 2);
	} finally {
		first.file.close();
		second.file.close();
	}
}
