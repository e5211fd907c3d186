/** The table as Markdown. */
import { targets } from './targets.ts';

export type Result = {
	readonly model: string;
	readonly statement: string;
	readonly ok?: boolean;
	readonly crash?: string;
	readonly selected?: number;
	readonly of?: number;
	readonly params?: readonly [number, number];
	readonly proven?: boolean;
	readonly weak?: boolean;
	readonly weights?: string;
	/** Largest difference over the largest magnitude of the output. */
	readonly error?: number;
	readonly diagnostics?: readonly string[];
	readonly seconds: number;
};

type Verdict = 'proven' | 'weak' | 'grown' | 'aligned' | 'refused' | 'absent' | 'failed' | 'crashed';

function verdictOf(result: Result): Verdict {
	const said = result.diagnostics ?? [];
	if (result.crash !== undefined) return 'crashed';
	if (said.some((text) => /^plan\/nothing-(found|to-fold)/.test(text))) return 'absent';
	if (result.ok !== true || result.selected === undefined)
		return said.some((text) => text.startsWith('verify/proof-failed')) ? 'failed' : 'refused';
	if (result.selected === 0)
		return said.some((text) => text.startsWith('plan/aligned-away')) ? 'aligned' : 'refused';
	if (result.weak === true) return 'weak';
	const [before = 0, after = 0] = result.params ?? [];
	return after < before || result.statement.startsWith('prune norms') ? 'proven' : 'grown';
}

const share = ({ params: [before = 1, after = 1] = [1, 1] }: Result): string =>
	`${((100 * after) / Math.max(1, before)).toFixed(0)} %`;

/** One cell: what is left of the parameters where it is proven, else a word. */
function cell(result: Result | undefined): string {
	if (result === undefined) return '';
	const verdict = verdictOf(result);
	if (verdict === 'proven') return share(result);
	if (verdict === 'absent') return '·';
	return verdict === 'weak' || verdict === 'grown' ? `${verdict} ${share(result)}` : verdict;
}

/** @param seconds what one statement was given. */
export function page(results: readonly Result[], seconds: number): string {
	const models = [...new Set(results.map(({ model }) => model))].sort();
	const of = (model: string, statement: string | undefined): Result | undefined =>
		results.findLast((one) => one.model === model && one.statement === statement);
	const rows = models.map((model) => {
		const cells = targets.map(({ plain, aligned }) => {
			const both = [cell(of(model, plain)), ...(aligned === undefined ? [] : [cell(of(model, aligned))])];
			return both[0] === both[1] || both.length === 1 ? (both[0] ?? '') : both.join(' / ');
		});
		return `| ${model} | ${cells.join(' | ')} |`;
	});
	const latest = models.flatMap((model) =>
		targets.flatMap(({ plain, aligned }) => of(model, plain) ?? of(model, aligned) ?? []),
	);
	return `${[
		intro(latest, seconds),
		`| model | ${targets.map(({ name }) => name).join(' | ')} |`,
		`|---|${targets.map(() => '---').join('|')}|`,
		...rows,
		'',
		reasons(models, of),
	].join('\n')}\n`;
}

function intro(latest: readonly Result[], seconds: number): string {
	const counts = new Map<Verdict, number>();
	for (const result of latest) {
		const verdict = verdictOf(result);
		counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
	}
	const count = (verdict: Verdict): string => `${counts.get(verdict) ?? 0} ${verdict}`;
	return `# What was tried on real models

Every model of a folder of exported models, with every statement of \`bench/zoo/targets.ts\`. Written by

    node --import tsx bench/zoo/table.ts docs/zoo.md <folder of .onnx files>…

A percentage is the share of parameters that is left, proven equal to the reference with a negative control that shows. Two of them: with kept counts aligned,
as by default, and with \`align 1\`. **·** the model has nothing of the kind. **aligned**: groups are too small for the default alignment. **weak**: equal, but the
control would not have shown. **grown**: equal, and not smaller. **refused**: see the reasons below. One statement may take ${seconds} s; **crashed** says that it took longer, or worse.
Each was built with four generated samples.

${(['proven', 'aligned', 'weak', 'grown', 'refused', 'failed', 'crashed', 'absent'] as const).map(count).join(', ')}, by the first statement of each cell.
`;
}

/** Why cells are not proven, one line each. */
function reasons(
	models: readonly string[],
	of: (model: string, statement: string | undefined) => Result | undefined,
): string {
	const lines = models.flatMap((model) =>
		targets.flatMap(({ name, plain, aligned }) =>
			[plain, aligned].flatMap((statement) => {
				const result = of(model, statement);
				if (result === undefined || ['proven', 'absent', 'aligned'].includes(verdictOf(result))) return [];
				const [first = ''] = (result.diagnostics ?? []).filter((text) => !text.startsWith('plan/aligned'));
				const why = (result.crash ?? first).split('\n')[0] ?? '';
				return [`- ${model}, ${name}: ${verdictOf(result)}. ${why}`];
			}),
		),
	);
	return ['## Why not', '', ...new Set(lines)].join('\n');
}
