/** The table as Markdown. */
import { withConsent, type Target, type Trial } from './targets.ts';

export type Result = {
	readonly model: string;
	readonly statement: string;
	readonly ok?: boolean;
	readonly crash?: string;
	readonly selected?: number;
	readonly of?: number;
	readonly params?: readonly [number, number];
	readonly macs?: readonly [number, number];
	readonly proven?: boolean;
	readonly weak?: boolean;
	readonly weights?: string;
	/** Largest difference over the largest magnitude of the output. */
	readonly error?: number;
	readonly diagnostics?: readonly string[];
	readonly seconds: number;
};

const verdicts = [
	'proven',
	'aligned',
	'weak',
	'grown',
	'refused',
	'unrun',
	'failed',
	'crashed',
	'absent',
] as const;
type Verdict = (typeof verdicts)[number];

/** It does not run as it is: onnxruntime refuses it, or its weights are not there. */
const unrunnable = /^(run\/session-failed: onnxruntime cannot run the original|model\/external-missing)/;

function verdictOf(result: Result, { keeps = false }: Target): Verdict {
	const said = result.diagnostics ?? [];
	if (result.crash !== undefined) return 'crashed';
	if (said.some((text) => /^plan\/nothing-(found|to-fold)/.test(text))) return 'absent';
	if (said.some((text) => unrunnable.test(text))) return 'unrun';
	if (result.ok !== true || result.selected === undefined)
		return said.some((text) => text.startsWith('verify/proof-failed')) ? 'failed' : 'refused';
	if (result.selected === 0)
		return said.some((text) => text.startsWith('plan/aligned-away')) ? 'aligned' : 'refused';
	if (result.weak === true) return 'weak';
	return keeps || isLess(result.params) || isLess(result.macs) ? 'proven' : 'grown';
}

type Pair = readonly [before: number, after: number];

const isLess = (pair: Pair | undefined): boolean => pair !== undefined && pair[1] < pair[0];
const left = ([before, after]: Pair): string => `${((100 * after) / Math.max(1, before)).toFixed(0)} %`;

/** What is left; of models whose weights the graph makes of a number, (nearly) nothing stored goes, and what is computed does. */
function share({ params = [1, 1], macs }: Result): string {
	const isStored = isLess(params) && params[0] > 1;
	return macs !== undefined && isLess(macs) && !isStored ? `${left(macs)} of work` : left(params);
}

/** One cell: what is left of the parameters where it is proven, else a word. */
function cell(result: Result | undefined, target: Target): string {
	if (result === undefined) return '';
	const verdict = verdictOf(result, target);
	if (verdict === 'absent') return '·';
	if (target.keeps === true || !['proven', 'weak', 'grown'].includes(verdict)) return verdict;
	return verdict === 'proven' ? share(result) : `${verdict} ${share(result)}`;
}

type Find = (model: string, statement: string | undefined) => Result | undefined;

/**
 * @param file the page's own.
 * @param seconds what one statement was given.
 */
export function page(trial: Trial, results: readonly Result[], file: string, seconds: number): string {
	const { title, targets } = trial;
	const of: Find = (model, statement) =>
		results.findLast((one) => one.model === model && one.statement === statement);
	const models = [...new Set(results.map(({ model }) => model))]
		.sort()
		.filter((model) => isListed(trial, model, of));
	const rows = models.map(
		(model) => `| ${marked(model)} | ${targets.map((target) => both(target, model, of)).join(' | ')} |`,
	);
	return `${[
		`# ${title}`,
		'',
		intro(trial, file, seconds),
		'',
		`${counted(trial, models, of)}, by the best statement of each cell.`,
		'',
		`| model | ${targets.map(({ name }) => name).join(' | ')} |`,
		`|---|${targets.map(() => '---').join('|')}|`,
		...rows,
		'',
		reasons(trial, models, of),
	].join('\n')}\n`;
}

/** Never looked at before the run that is in the table, so that no row of an operator was written for them. */
const heldOut: ReadonlySet<string> = new Set([
	...['fr_expression', 'fr_feature', 'fr_pose', 'mlsd_320x320_large', 'mlsd_320x320_tiny', 'silero_vad_v6'],
	...['light_inception_v1', 'light_inception_v2', 'light_squeezenet', 'light_zfnet512'],
]);

const marked = (model: string): string => (heldOut.has(model) ? `${model} †` : model);

/** Of statements about layers with attention, models that have none are left out. */
function isListed({ flag, targets: [first] }: Trial, model: string, of: Find): boolean {
	const result = flag === undefined ? undefined : of(model, first?.plain);
	return result === undefined || first === undefined || verdictOf(result, first) !== 'absent';
}

function both(target: Target, model: string, of: Find): string {
	const own = [target.plain, target.aligned].map((statement) => cell(of(model, statement), target));
	const said = [...new Set(own)].filter(Boolean).join(' / ');
	const consented = of(model, withConsent(target));
	const goes = consented !== undefined && verdictOf(consented, target) === 'proven';
	return goes ? `${said}, ${cell(consented, target)} with consent` : said;
}

function intro({ flag, targets }: Trial, file: string, seconds: number): string {
	const to = flag === undefined ? file : `${file} ${flag}`;
	const meaning =
		flag === undefined
			? `A percentage is the share of parameters that is left, proven equal to the reference with a negative control that shows. Two of them: with kept counts aligned,
as by default, and with \`align 1\`; **of work** says multiply-adds, where weights are made in the graph and none is stored. **†** held out: not looked at before they were first run (light_inception_v1 was weak then, and was looked at). **·** the model has nothing of the kind. **aligned**: groups are too small for the default alignment. **grown**: equal, and not smaller.
**with consent**: behind \`may change "*"\`, where a frozen input or output is the reason.`
			: `**proven**: equal to its references, with negative controls that show. Models without layers of attention are left out. ${targets.map(({ name, plain }) => `${name}: \`${plain}\``).join(', ')}.`;
	return `Every model of a folder of exported models, with every statement of \`bench/zoo/targets.ts\`. Written by

    node --import tsx bench/zoo/table.ts ${to} <folder of .onnx files>…

${meaning}
**weak**: equal, but the control would not have shown. **refused**: see the reasons below. **unrun**: onnxruntime cannot run the model as it is on generated inputs, or its weights are not beside it. One statement may take ${seconds} s; **crashed** says that it took longer, or worse.
An empty cell was not tried. Each was built with four generated samples.`;
}

function counted({ targets }: Trial, models: readonly string[], of: Find): string {
	const counts = new Map<Verdict, number>();
	for (const model of models)
		for (const target of targets) {
			const own = [target.plain, target.aligned, withConsent(target)].flatMap((statement) => {
				const result = of(model, statement);
				return result ? [verdictOf(result, target)] : [];
			});
			const [best] = own.toSorted((a, b) => verdicts.indexOf(a) - verdicts.indexOf(b));
			if (best !== undefined) counts.set(best, (counts.get(best) ?? 0) + 1);
		}
	return verdicts.map((verdict) => `${counts.get(verdict) ?? 0} ${verdict}`).join(', ');
}

/** Messages name files by where they lie on the machine of the run: the name is enough. */
const withoutPlace = (text: string): string =>
	text.replace(/"\/(?:[^"/]*\/)*([^"/]*)"/g, '"$1"').replace(/( from ')\/(?:[^'/]*\/)*/g, '$1');

/** Why cells are not proven, one line each. */
function reasons({ targets }: Trial, models: readonly string[], of: Find): string {
	const lines = models.flatMap((model) =>
		targets.flatMap((target) =>
			[target.plain, target.aligned].flatMap((statement) => {
				const result = of(model, statement);
				const verdict = result && verdictOf(result, target);
				if (verdict === undefined || ['proven', 'absent', 'aligned'].includes(verdict)) return [];
				const [first = ''] = (result?.diagnostics ?? []).filter((text) => !text.startsWith('plan/aligned'));
				const why = withoutPlace((result?.crash ?? first).split('\n')[0] ?? '');
				return [`- ${model}, ${target.name}: ${verdict}. ${why}`];
			}),
		),
	);
	return ['## Why not', '', ...new Set(lines)].join('\n');
}
