/** `completion`: what a shell needs to complete commands, flags and their values; made of the table of commands. */
import { catalogue } from '../messages/catalogue.ts';
import { nearest } from '../messages/nearest.ts';
import { commands } from './commands.ts';
import { flagsOf, type Declared } from './flags.ts';
import { print, Usage, type Flags, type Status } from './shared.ts';

type Shell = 'bash' | 'zsh' | 'fish';
const shells: Readonly<Record<Shell, () => string>> = { bash, zsh, fish };

export function completion(shell: string, _: Flags): Status {
	if (!Object.hasOwn(shells, shell)) {
		const names = Object.keys(shells);
		throw new Usage(`there is no completion for '${shell}': ${names.join(', ')}`, nearest(shell, names));
	}
	print(shells[shell as Shell]());
	return 0;
}

const nameOf = ({ usage }: Declared): string => usage.split(' ')[0] ?? '';

/** Words that a command takes in the place of a file. */
function wordsOf(name: string): readonly string[] {
	switch (name) {
		case 'list':
			return ['techniques', 'metrics', 'ops', 'codes'];
		case 'completion':
			return Object.keys(shells);
		case 'explain':
			return [...new Set(catalogue.map(({ code }) => code))].sort();
		default:
			return [];
	}
}

/** Words behind a flag. */
const values: Readonly<Record<string, readonly string[]>> = {
	'--to': ['prune', 'yaml', 'json'],
	'--format': ['human', 'github', 'sarif'],
	'--dump': ['syntax', 'recipe', 'graph', 'patch'],
};

const spelt = (command: Declared): string[] => flagsOf(command).flatMap(({ names }) => names);

/** Completion for bash 3 and later: `eval "$(prunec completion bash)"`. */
function bash(): string {
	const cases = commands.map((one) => {
		const words = wordsOf(nameOf(one));
		return `		${nameOf(one)}) flags='${[...spelt(one), '--help'].join(' ')}' words='${words.join(' ')}' ;;`;
	});
	const behind = Object.entries(values).map(
		([flag, words]) => `		${flag}) words='${words.join(' ')}' flags='' ;;`,
	);
	return `# prunec completion for bash:  eval "$(prunec completion bash)"
_prunec() {
	local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" flags='' words=''
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W '${[...commands.map(nameOf), '--help', '--version'].join(' ')}' -- "$word"))
		return
	fi
	case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
	esac
	case "$before" in
${behind.join('\n')}
	esac
	case "$word" in
		-*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
		*)
			if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word"))
			else COMPREPLY=($(compgen -f -- "$word")); fi ;;
	esac
}
complete -o filenames -o bashdefault -F _prunec prunec
`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Completion for zsh, in its own terms: `_arguments` with what each flag is. */
function zsh(): string {
	const described = commands.map((one) => quoted(`${nameOf(one)}:${one.about}`));
	const cases = commands.map((one) => {
		const flags = flagsOf(one).flatMap(({ names, takes, about }) =>
			names.map((name) => {
				const text = about.replaceAll(/[[\]:]/g, (sign) => `\\${sign}`);
				const words = values[name];
				const value = words === undefined ? ':value:_files' : `:value:(${words.join(' ')})`;
				return quoted(`${name}[${text}]${takes ? value : ''}`);
			}),
		);
		const words = wordsOf(nameOf(one));
		const rest = words.length === 0 ? "'*:file:_files'" : quoted(`*:word:(${words.join(' ')})`);
		return `		${nameOf(one)}) _arguments ${[...flags, rest].join(' \\\n			')} ;;`;
	});
	return `#compdef prunec
# prunec completion for zsh:  prunec completion zsh > "\${fpath[1]}/_prunec"
_prunec() {
	local -a commands
	commands=(
		${described.join('\n		')}
	)
	if (( CURRENT == 2 )); then
		_describe 'command' commands
		return
	fi
	local name="$words[2]"
	shift words
	(( CURRENT-- ))
	case "$name" in
${cases.join('\n')}
	esac
}
if [ "$funcstack[1]" = '_prunec' ]; then _prunec "$@"; else compdef _prunec prunec; fi
`;
}

/** Completion for fish: a line for each command, flag and value. */
function fish(): string {
	const lines = commands.flatMap((one) => {
		const inside = `-n '__fish_seen_subcommand_from ${nameOf(one)}'`;
		const flags = flagsOf(one).map(({ names, takes, about }) => {
			const long = names.flatMap((name) =>
				name.startsWith('--') ? [`-l ${name.slice(2)}`] : [`-s ${name.slice(1)}`],
			);
			const words = names.flatMap((name) => values[name] ?? []);
			const value = !takes ? '' : words.length > 0 ? ` -x -a '${words.join(' ')}'` : ' -r';
			return `complete -c prunec ${inside} ${long.join(' ')}${value} -d ${quoted(about)}`;
		});
		const words = wordsOf(nameOf(one));
		const values_ = words.length === 0 ? [] : [`complete -c prunec ${inside} -f -a '${words.join(' ')}'`];
		return [
			`complete -c prunec -n __fish_use_subcommand -f -a ${nameOf(one)} -d ${quoted(one.about)}`,
			...flags,
			...values_,
		];
	});
	return [
		'# prunec completion for fish:  prunec completion fish > ~/.config/fish/completions/prunec.fish',
		...lines,
		'',
	].join('\n');
}
