/** docs/quality.md, from what was measured. */
import { methods } from './methods.ts';
import { type Point } from './measure.ts';
import { type Figure, type Subject } from './subjects.ts';

export type Measured = {
	readonly subject: Subject;
	readonly original: readonly Figure[];
	readonly points: readonly Point[];
};

const percent = (share: number): string => (Number.isNaN(share) ? '–' : `${(100 * share).toFixed(0)} %`);

function figure({ name, value }: Figure): string {
	if (Number.isInteger(value) && value > 1) return String(value);
	return name === 'perplexity' ? value.toFixed(3) : value.toFixed(4);
}

export function page(all: readonly Measured[], about: string): string {
	return `# How much is kept

What prunec keeps of trained models, beside what others would at the same place: the same amount of every group goes, so shapes, multiply–adds and time are those of one network, and only the choice of
units and what is done about the loss differ. The rows with ratios chosen come to the same multiply–adds with an amount of each group that prunec weighs itself. Times are medians of
ratios to the original, in turns, on two threads; rows of one amount differ by noise.

Written by \`node --import tsx bench/quality/run.ts\` (${about}). Nothing here was trained again.

${all.map(section).join('\n')}
## Where prunec does not win

${losses(all)}
`;
}

function section({ subject, original, points }: Measured): string {
	const amounts = [...new Set(points.map(({ amount }) => amount))];
	const said = original.map((one) => `${one.name} ${figure(one)}`).join(', ');
	const tables = amounts.map((amount) =>
		table(
			points.filter((one) => one.amount === amount),
			amount,
			original,
		),
	);
	return `## ${subject.name}\n\n${subject.about}. The original: ${said}.\n\n${tables.join('\n')}`;
}

function table(points: readonly Point[], amount: string, original: readonly Figure[]): string {
	const names = original.map(({ name }) => name);
	const statement = points[0]?.statement ?? amount;
	const best = names.map((_, at) => (points.length > 1 ? bestOf(points, at) : undefined));
	const rows = points.map(({ method, error, figures, macs, bytes, time, milliseconds }) => {
		const cells = figures.map((one, at) => (one.value === best[at] ? `**${figure(one)}**` : figure(one)));
		const measured = error === undefined ? cells : names.map((_, at) => (at === 0 ? error : ''));
		const took = Number.isNaN(time) ? '–' : `${time.toFixed(2)}× (${milliseconds.toFixed(1)} ms)`;
		return `| ${[method, ...measured, percent(macs), percent(bytes), took].join(' | ')} |`;
	});
	const absent = methods.filter(({ name }) => !points.some(({ method }) => method === name));
	const missing =
		absent.length === 0 ? [] : [`\nNot measured yet: ${absent.map(({ name }) => name).join(', ')}.`];
	const head = ['', ...names, 'multiply–adds', 'file', 'time'];
	return [
		`\`${statement}\`\n`,
		`| ${head.join(' | ')} |`,
		`|${head.map(() => '---').join('|')}|`,
		...rows,
		...missing,
		'',
	].join('\n');
}

function bestOf(points: readonly Point[], at: number): number | undefined {
	const values = points.flatMap(({ figures }) => figures[at] ?? []);
	const sorted = values.toSorted((a, b) => (a.better === 'higher' ? b.value - a.value : a.value - b.value));
	return sorted[0]?.value;
}

/** Every point and figure at which one of the others is better than the better of prunec's rows. */
function losses(all: readonly Measured[]): string {
	const found = all.flatMap(({ points }) =>
		[...new Set(points.map(({ amount }) => amount))].flatMap((amount) => lostAt(points, amount)),
	);
	return found.length === 0
		? 'At none of the points that have been measured; the tables say which have not.'
		: found.map((line) => `- ${line}`).join('\n');
}

function lostAt(points: readonly Point[], amount: string): string[] {
	const here = points.filter((one) => one.amount === amount);
	const names = here.find(({ figures }) => figures.length > 0)?.figures ?? [];
	return names.flatMap(({ name }, at) => {
		const own = here.filter(({ method }) => method.startsWith('prunec'));
		const [ours, best] = [bestOf(own, at), bestOf(here, at)];
		const winner = here.find(({ figures }) => figures[at]?.value === best)?.method ?? '';
		return ours === best ? [] : [`${here[0]?.subject ?? ''}, ${amount}: ${name} is best with ${winner}`];
	});
}
