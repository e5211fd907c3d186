/** The report of a build as one page that needs nothing else: no script, no font, no image; pictures are SVG in the page. */
import { type Diagnostic } from '../diagnostic.ts';
import { amount } from '../messages/amounts.ts';
import { escaped } from './escape.ts';
import { bars, heatMap, type Bar } from './pictures.ts';
import { type Reported, type ReportedStep } from './reported.ts';
import { count, percent } from './tables.ts';

/** The page. `recipe` is the text that was compiled. */
export function htmlReport(document: Reported, recipe: string): string {
	const name = document.model?.path.replace(/^.*[/\\]/, '') ?? 'model';
	const sections = [
		costs(document),
		...document.steps.map((step, at) => stepSection(step, at + 1)),
		quality(document),
		promises(document),
		section('Recipe', `<pre>${escaped(recipe)}</pre>`),
		messages(document.diagnostics),
	];
	const verdict = document.ok ? 'Built and written as promised.' : 'Not written: see below.';
	return htmlPage(`${name}, pruned`, [`<h1>${escaped(name)}</h1><p>${verdict}</p>`, ...sections]);
}

/** A page in the style of all reports; its parts are HTML. */
export function htmlPage(title: string, parts: readonly string[]): string {
	return [
		'<!doctype html>',
		'<html lang="en"><head><meta charset="utf-8">',
		'<meta name="viewport" content="width=device-width, initial-scale=1">',
		`<title>${escaped(title)}</title><style>${style}</style></head><body><main>`,
		...parts,
		'</main></body></html>\n',
	].join('\n');
}

function section(title: string, body: string): string {
	return body === '' ? '' : `<section><h2>${escaped(title)}</h2>\n${body}\n</section>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
	if (rows.length === 0) return '';
	const line = (cells: readonly string[], tag: string): string =>
		`<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
	const body = rows.map((row) => line(row, 'td')).join('\n');
	return `<div class="wide"><table><thead>${line(head, 'th')}</thead><tbody>${body}</tbody></table></div>`;
}

function costs({ model, output, latency }: Reported): string {
	const kinds = [
		['parameters', 'params'],
		['multiply–adds', 'macs'],
		['bytes', 'bytes'],
	] as const;
	const rows = kinds.flatMap(([label, kind]) => {
		const [before, after] = [model?.[kind], output?.[kind]];
		return before === undefined || after === undefined
			? []
			: [{ label, before: count(before), after: count(after), left: after / Math.max(1, before) }];
	});
	const spread = ([least, most]: readonly [number, number]): string =>
		`${least.toPrecision(3)} to ${most.toPrecision(3)}`;
	const timed = latency && {
		label: 'latency',
		before: `${latency.beforeMs.toPrecision(3)} ms (${spread(latency.beforeRangeMs)})`,
		after: `${latency.afterMs.toPrecision(3)} ms (${spread(latency.afterRangeMs)})`,
		left: latency.ratio,
	};
	const all = [...rows, ...(timed ? [timed] : [])];
	const shown = all.map(({ label, left }): Bar => ({ label, parts: [left], text: percent(left, 1) }));
	const said = latency
		? `<p>Median of ${latency.runs} runs in turns, fastest to slowest in brackets, ${latency.threads} threads.</p>`
		: '';
	const cells = all.map(({ label, before, after, left }) => [label, before, after, percent(left, 1)]);
	return section(
		'What is left',
		bars('Share that is left', shown) + table(['', 'before', 'after', 'left'], cells) + said,
	);
}

function stepSection(step: ReportedStep, at: number): string {
	const metric = step.metric === undefined ? '' : `, ranked by ${step.metric}`;
	const took = `${step.selected} of ${step.of} ${step.unit}${metric}; ${count(step.params[0])} to ${count(step.params[1])} parameters, ${count(step.macs[0])} to ${count(step.macs[1])} multiply–adds.`;
	return section(
		`${at}. ${step.statement}`,
		[
			`<p>${escaped(took)}</p>`,
			...goals(step),
			removedPicture(step),
			scorePicture(step),
			refits(step),
			proofLine(step),
		].join('\n'),
	);
}

function goals({ reached = [] }: ReportedStep): string[] {
	return reached.map(({ goal, unit, predicted, measured, by }) => {
		const told = predicted === undefined ? '' : `, predicted ${amount(unit, predicted)}`;
		return `<p>Goal <b>${escaped(goal)}</b>: ${amount(unit, measured)}${told}${by === undefined ? '' : `, dealt out by ${by}`}.</p>`;
	});
}

/** One bar a group: what is left of it and what went. */
function removedPicture({ groups = [], removed, unit }: ReportedStep): string {
	const rows = groups.map(({ layer, label, units }): Bar => {
		const gone = removed.find((one) => one.layer === layer)?.units.length ?? 0;
		const left = (units.length - gone) / units.length;
		return { label, parts: [left, 1 - left], text: `${units.length - gone} of ${units.length}` };
	});
	return bars(`Kept and removed ${unit}`, rows);
}

/** Small groups as rows of squares: a heat map of layer × head. */
function scorePicture({ groups = [], removed, unit }: ReportedStep): string {
	const rows = groups
		.filter(({ importance }) => importance.length > 0)
		.map(({ layer, label, units, importance }) => {
			const gone = new Set(removed.find((one) => one.layer === layer)?.units ?? []);
			const cells = importance.map((value, at) => {
				const index = units[at] ?? at;
				return { value, gone: gone.has(index), says: `${label}, ${index}: ${value.toFixed(3)}` };
			});
			return { label, cells };
		});
	return heatMap(`Importance of ${unit}, removed ones crossed out`, rows);
}

function refits({ compensated = [] }: ReportedStep): string {
	const share = (value: number): string => (Number.isNaN(value) ? '-' : percent(value, 1));
	const words = { affine: 'new weights and bias', bias: 'new bias', none: 'as it was' } as const;
	const normWords = { affine: 'new mean and variance', bias: 'new mean', none: 'as it was' } as const;
	const rows = compensated.map(({ layer, norm, choice, heldOut }) => [
		norm ?? String(layer),
		norm === undefined ? words[choice] : normWords[choice],
		...[heldOut.affine, heldOut.bias, heldOut.none].map(share),
	]);
	return table(['layer', 'reader', 'error, refitted', 'bias alone', 'as it was'], rows);
}

function proofLine({ proof, unchanged }: ReportedStep): string {
	if (unchanged === true) return '<p>There is nothing to prove: no node and no tensor changed.</p>';
	if (proof === undefined) return '<p>The proof was not run.</p>';
	const verdict = proof.ok ? (proof.weak ? 'Equal, but weakly proven,' : 'Proven equal') : 'DIFFERENT';
	return `<p>${verdict} to its reference (${escaped(proof.reference)}) on ${proof.samples} inputs: error ${proof.maxAbs.toExponential(1)}, tolerance ${proof.tolerance.toExponential(1)}.</p>`;
}

function quality({ drift, inputs }: Reported): string {
	if (drift === undefined) return '';
	const all = [
		['cosine', drift.cosine.toFixed(5)],
		['relative L2', drift.relativeL2.toFixed(4)],
		...(drift.kl === undefined ? [] : [['KL, nats', drift.kl.toExponential(2)]]),
		...(drift.top1Agreement === undefined ? [] : [['top-1 agreement', percent(drift.top1Agreement, 1)]]),
	];
	const outputs = drift.outputs.map(({ name, cosine, relativeL2 }) => [
		name,
		cosine.toFixed(5),
		relativeL2.toFixed(4),
	]);
	return section(
		'How far from the original',
		`<p>On ${escaped(inputs ?? '')}.</p>` +
			table(['measure', 'value'], all) +
			table(['output', 'cosine', 'relative L2'], outputs),
	);
}

function promises({ expectations }: Reported): string {
	const rows = expectations.map(({ text, value, ok }) => [
		text,
		value === undefined ? 'not measured' : value.toPrecision(4),
		ok ? 'holds' : 'FAILS',
	]);
	return section('Expectations', table(['promise', 'measured', ''], rows));
}

/** What was refused, read, or left as it was. */
function messages(diagnostics: readonly Diagnostic[]): string {
	const items = diagnostics.map(({ severity, code, message, label, notes = [], hint }) => {
		const more = [label, ...notes, hint].filter((one) => one !== undefined).map(escaped);
		return `<li><b>${severity}</b> ${escaped(message)} <code>${escaped(code)}</code>${more.map((one) => `<br>${one}`).join('')}</li>`;
	});
	return section('Messages', items.length === 0 ? '' : `<ul>${items.join('\n')}</ul>`);
}

const style = `
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --line: #d8dde5; --keep: #2f6fb2; --gone: #d9822b; --soft: #eef2f7 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --paper: #14181e; --line: #343c48; --keep: #6aa5e3; --gone: #e79a4c; --soft: #212833 } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1, h2 { line-height: 1.25; overflow-wrap: anywhere } h2 { margin-top: 2.5rem; font-size: 1.2rem }
.wide { overflow-x: auto; margin: 1rem 0 } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: .25rem 1rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap }
pre { background: var(--soft); padding: 1rem; overflow-x: auto } code { opacity: .7 }
svg { display: block; max-width: 100%; height: auto; margin: 1rem 0 } svg text { fill: var(--ink); font: 13px system-ui, sans-serif }
.keep { fill: var(--keep) } .gone { fill: var(--gone) } .cross { stroke: var(--ink); stroke-width: 1.5 } .edge { fill: none; stroke: var(--line) }
.front { fill: none; stroke: var(--keep); stroke-width: 2 } .off { fill: var(--paper); stroke: var(--gone); stroke-width: 2 }
`;
